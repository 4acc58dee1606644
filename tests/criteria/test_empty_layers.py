"""A layer without outputs, or without inputs, is pruned to itself."""

import numpy as np
import pytest

from minprune.criteria import CATALOG

NONE, EYE = np.ones((0, 0)), np.eye(3)
OUTPUTS = np.ones((0, 3))
INPUTS = np.ones((2, 0))

EMPTY = {
    "obd": [(OUTPUTS, OUTPUTS), (INPUTS, INPUTS)],
    "obs": [(OUTPUTS, NONE)],
    "layer_obs": [(OUTPUTS, EYE), (INPUTS, NONE)],
    "fisher": [(OUTPUTS, OUTPUTS)],
    "empirical_fisher": [(OUTPUTS, np.ones((4, 0, 3)))],
    "woodfisher": [(OUTPUTS, np.ones((4, 0, 3)))],
    "mfac": [(OUTPUTS, np.ones((4, 0, 3)))],
    "obert": [(OUTPUTS, np.ones((4, 0, 3))), (INPUTS, np.ones((4, 2, 0)))],
    "kfac_obd": [(OUTPUTS, EYE, NONE)],
    "kfac_obd_f2": [(OUTPUTS, EYE, NONE)],
    "kfac_obs": [(OUTPUTS, EYE, NONE)],
    "wanda": [(OUTPUTS, np.ones(3)), (INPUTS, np.ones(0))],
    "ria": [(OUTPUTS, np.ones(3)), (INPUTS, np.ones(0))],
    "nisp": [(INPUTS,)],
    "fpgm": [(OUTPUTS,)],
    "fpgm_two_stage": [(OUTPUTS,)],
    "fpgm_of_squares": [(OUTPUTS,)],
    "cosine_redundancy": [(OUTPUTS,)],
    "data_free_saliency": [(OUTPUTS, INPUTS)],
    "refit": [(OUTPUTS, EYE), (INPUTS, NONE)],
    "obs_update": [(OUTPUTS, NONE)],
    "cbs": [(OUTPUTS, NONE)],
    "obc": [(OUTPUTS, EYE), (INPUTS, NONE)],
    "obc_n_m": [(OUTPUTS, EYE)],
    "sparsegpt": [(OUTPUTS, EYE), (INPUTS, NONE)],
    "sparsegpt_n_m": [(OUTPUTS, EYE)],
    "lasso_channels": [(OUTPUTS, EYE), (INPUTS, NONE)],
    "thinet": [(OUTPUTS, EYE), (INPUTS, NONE)],
    "merge_neurons": [(OUTPUTS, INPUTS)],
}
CASES = [(name, given) for name, cases in EMPTY.items() for given in cases]


@pytest.mark.parametrize(("name", "given"), CASES)
def test_nothing_in_nothing_out(name, given):
    card = CATALOG[name]
    options = {
        "refit": {"mask": np.ones(given[0].shape, bool)},
        "obc_n_m": {"keep": 1, "group": 3},
        "sparsegpt_n_m": {"keep": 1, "group": 3},
    }.get(name, {"count": 0} if card.kind == "solver" else {})
    got = card.function(*given, **options)
    for array in got if card.kind == "solver" else (got,):
        assert array.size == 0


def test_channels_of_a_layer_without_outputs_may_still_be_named():
    solver = CATALOG["feature_reconstruction"].function
    mask, moved = solver(OUTPUTS, EYE, channels=np.array([True, False, True]))
    assert mask.shape == moved.shape == (0, 3)
