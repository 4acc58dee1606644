"""Profiles: the tables of counts and ties, number by number, then the edges.

The tables were computed from the formulas in the toolkits' sources, and corrected where
running the official code gave something else (FPGM's norm stage, WoodFisher, LAMP).
"""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minprune.masks import PROFILES, NoAnswer, compare, profile, select
from minprune.masks.contract import REFERS, TIES
from minprune.masks.count import RULES

ASKED = [
    (5, 0.1),
    (5, 0.5),
    (7, 0.5),
    (10, 0.0),
    (10, 0.05),
    (10, 0.3),
    (10, 0.7),
    (10, 0.9),
    (10, 0.95),
    (10, 1.0),
    (64, 0.3),
    (100, 0.29),
    (100, 0.57),
    (1000, 0.999),
]
FAILS = None
FLOOR = [0, 2, 3, 0, 0, 3, 7, 9, 9, 10, 19, 28, 56, 999]
ROUND = [0, 2, 4, 0, 0, 3, 7, 9, 10, 10, 19, 29, 57, 999]
KEEP_FLOOR = [1, 3, 4, 0, 1, 3, 7, 10, 10, 10, 20, 29, 57, 999]
CEIL = [1, 3, 4, 0, 1, 3, 7, 9, 10, 10, 20, 29, 57, 999]
DENSITY_FLOOR = [0, 2, 3, 0, 0, 3, 7, 9, 9, 10, 19, 29, 56, 999]
SORTED = [1, 3, 4, 1, 1, 4, 8, 10, 10, FAILS, 20, 29, 57, 1000]
COUNTS = {
    "minprune": ROUND,
    "torch": ROUND,
    "torch_ao": [0, 2, 4, 0, 0, 3, 7, 9, 9, 10, 19, 29, 57, 999],
    "torch_pruning": KEEP_FLOOR,
    "torch_pruning_global": KEEP_FLOOR,
    "nni": FLOOR,
    "nni_v2_global": FLOOR,
    "nni_v3_global": FLOOR,
    "neural_compressor": FLOOR,
    "distiller": FLOOR,
    "fpgm_norm": DENSITY_FLOOR,
    "fpgm_distance": FLOOR,
    "rigl": FLOOR,
    "wanda": FLOOR,
    "dnw": FLOOR,
    "tfmot": [1, 3, 3, 0, 0, 3, 7, 9, 9, 9, 19, 29, 57, 999],
    "sparseml": ROUND,
    "nncf": [1, 3, 4, 1, 1, 3, 7, 9, 9, 10, 19, 29, 57, 999],
    "nncf_filters": [0, 0, 0, 0, 0, 2, 2, 2, 2, 10, 16, 28, 52, 992],
    "network_slimming": SORTED,
    "sparsegpt": SORTED,
    "wanda_magnitude": SORTED,
    "eigendamage": [1, 3, 4, 1, 1, 4, 8, 9, 9, FAILS, 20, 29, 57, 999],
    "open_lth": [2, 4, 5, 1, 2, 4, 8, 10, FAILS, FAILS, 21, 30, 58, 1000],
    "synflow": DENSITY_FLOOR,
    "grasp": [FAILS, 1, 2, FAILS, FAILS, 2, 6, 8, 8, 9, 18, 28, 55, 998],
    "snip": [1, 3, 3, 0, 0, 3, 7, 9, 9, 10, 19, 29, 57, 999],
    "force": KEEP_FLOOR,
    "movement": KEEP_FLOOR,
    "sparse_learning": CEIL,
    "itop": CEIL,
    "obc": CEIL,
    "shrinkbench": [1, 2, 3, 0, 1, 3, 7, 9, 9, 9, 19, 29, 57, 999],
    "lamp": [1, 3, 3, 0, 0, 3, 7, 9, 9, FAILS, 19, 29, 57, 999],
    "woodfisher": [1, 3, 4, 1, 1, 4, 7, 10, 10, FAILS, 20, 30, 57, 999],
}
OF_EIGHT_EQUAL = {
    4: [
        *("minprune", "torch", "torch_ao", "nni", "snip", "wanda", "movement", "dnw"),
        *("sparseml", "rigl", "lamp", "torch_pruning", "obc", "sparse_learning"),
        *("fpgm_norm", "fpgm_distance"),
    ],
    8: [
        *("synflow", "neural_compressor", "nni_v2_global", "torch_pruning_global"),
        *("distiller", "network_slimming", "sparsegpt", "wanda_magnitude", "nncf"),
        *("open_lth", "woodfisher"),
    ],
    7: ["eigendamage"],
    0: [
        *("tfmot", "nni_v3_global", "force", "nncf_filters", "itop", "grasp"),
        "shrinkbench",
    ],
}


def test_the_tables_speak_of_every_profile():
    assert set(COUNTS) == set(PROFILES)
    assert sorted(chain(*OF_EIGHT_EQUAL.values())) == sorted(PROFILES)
    assert {p.rule for p in PROFILES.values()} == set(RULES)
    assert {p.ties for p in PROFILES.values()} == set(TIES)
    assert {p.refers for p in PROFILES.values()} == set(REFERS)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("column", range(len(ASKED)), ids=[str(a) for a in ASKED])
def test_counts_of_different_scores(name, column):
    (size, sparsity), want = ASKED[column], COUNTS[name][column]
    scores = np.random.default_rng(size).permutation(size) + 1.0
    if want is FAILS:
        with pytest.raises(NoAnswer, match="the toolkit reads score"):
            PROFILES[name].mask(scores, sparsity)
        return
    mask = PROFILES[name].mask(scores, sparsity)
    assert np.count_nonzero(~mask) == want == PROFILES[name].count(size, sparsity)
    if name != "eigendamage":
        assert set(scores[~mask]) == set(range(1, want + 1))


@pytest.mark.parametrize(
    ("name", "want"),
    [(name, count) for count, names in OF_EIGHT_EQUAL.items() for name in names],
)
def test_ties_of_eight_equal_scores(name, want):
    mask = PROFILES[name].mask(np.ones(8), 0.5)
    assert np.count_nonzero(~mask) == want


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.integers(0, 100))
def test_shrinkbench_is_strictly_below_the_quantile(scores, percent):
    """Against NumPy's own quantile, the function the toolkit calls."""
    scores = np.array(scores, float)
    want = scores >= np.quantile(scores, percent / 100)
    virtual = (scores.size - 1) * (percent / 100)
    if abs(virtual - round(virtual)) > 1e-9 or percent % 10 == 0:
        assert_array_equal(PROFILES["shrinkbench"].mask(scores, percent / 100), want)


@given(st.lists(st.integers(0, 4), max_size=12), st.integers(0, 100))
def test_minprunes_own_profile_is_selection(scores, percent):
    scores = np.array(scores, float)
    got = PROFILES["minprune"].mask(scores, percent / 100)
    assert_array_equal(got, select(scores, sparsity=percent / 100))


@pytest.mark.parametrize("name", PROFILES)
@given(st.lists(st.integers(0, 3), max_size=12), st.integers(0, 100))
def test_ties_at_the_cut_are_split_drawn_removed_or_kept(name, scores, percent):
    scores, contract = np.array(scores, float), PROFILES[name]
    try:
        count = contract.count(scores.size, percent / 100)
        mask = contract.mask(scores, percent / 100)
    except NoAnswer:
        return
    gone, ranked = np.count_nonzero(~mask), np.sort(scores)
    if contract.spares_first and gone >= scores.size - 1:
        assert mask[:1].all()
    elif count in (0, scores.size):
        assert gone == count
    elif contract.ties in ("split", "drawn"):
        assert gone == count
        assert scores[~mask].max() <= scores[mask].min()
    elif contract.ties == "removed":
        assert_array_equal(mask, scores > ranked[count - 1])
    else:
        assert_array_equal(mask, scores >= ranked[count])


def test_a_split_takes_the_first_and_a_draw_takes_any():
    assert_array_equal(PROFILES["torch"].mask(np.ones(4), 0.5), [0, 0, 1, 1])
    scores = np.array([0.0, 1.0, 1.0, 1.0, 1.0, 2.0])
    drawn = {
        tuple(np.flatnonzero(~PROFILES["rigl"].mask(scores, 0.5, seed=seed)))
        for seed in range(50)
    }
    assert drawn == {(0, i, j) for i in range(1, 5) for j in range(i + 1, 5)}


def test_eigendamage_keeps_the_first_unit_when_at_most_one_would_stay():
    contract, scores = PROFILES["eigendamage"], np.array([1.0, 2.0, 3.0, 4.0])
    assert_array_equal(contract.mask(scores, 0.5), [True, False, False, False])
    assert_array_equal(contract.mask(scores, 0.25), [False, False, True, True])


def test_what_a_sparsity_refers_to_when_half_is_gone():
    scores, half = np.arange(1.0, 101.0), np.arange(100) >= 50
    gone = lambda name: np.count_nonzero(
        ~PROFILES[name].mask(scores, 0.5, previous=half)
    )
    assert gone("torch") == 75
    assert gone("open_lth") == 50 + 26
    assert gone("tfmot") == gone("sparseml") == gone("minprune") == 50
    with pytest.raises(ValueError, match="50 of 100 are already gone, but this cut"):
        gone("snip")


def test_what_is_gone_stays_gone_in_every_profile():
    scores = np.array([9.0, 1.0, 2.0, 3.0])
    previous = np.array([False, True, True, True])
    for contract in PROFILES.values():
        if contract.refers != "once":
            mask = contract.mask(scores, 0.5, previous=previous)
            assert not mask[0]
            assert not mask.all()
    assert_array_equal(previous, [False, True, True, True])


@pytest.mark.parametrize("name", PROFILES)
def test_the_empty_tensor_has_an_empty_mask(name):
    assert PROFILES[name].mask(np.empty((0, 3)), 0.5).shape == (0, 3)


def test_the_difference_in_count_is_put_into_words():
    text = compare("minprune", "torch_pruning", np.arange(10.0), 0.9)
    assert text == (
        "minprune removes 9 of 10, torch_pruning removes 10 of 10; "
        "they differ at 1 of 10 places, the first at 9.\n"
        "count: minprune asks for 9, as round(n s), exact. "
        "torch_pruning asks for 10, as n - int(n (1 - s))."
    )


def test_the_difference_in_ties_is_put_into_words():
    text = compare("synflow", "force", np.ones(8), 0.5)
    assert "synflow removes 8 of 8, force removes none of 8" in text
    assert "ties: 8 scores equal the one at the cut" in text
    assert "synflow: all of them go" in text
    assert "force: all of them stay" in text
    assert "count:" not in text
    assert "re-pruning:" not in text


def test_the_difference_in_re_pruning_is_put_into_words():
    half = np.arange(100) >= 50
    text = compare("torch", "sparseml", np.arange(100.0), 0.5, previous=half)
    assert "re-pruning: 50 are already gone" in text
    assert "torch: sparsity is of what remains" in text
    assert "sparseml: sparsity is of the original size" in text
    assert "count: torch asks for 75" in text


def test_ties_at_the_cut_of_only_one_of_the_two_are_named():
    """One asks for 1 of 4 and cuts between scores, the other for 2 and cuts a tie."""
    scores = np.array([1.0, 2.0, 2.0, 3.0])
    text = compare("minprune", "network_slimming", scores, 0.25)
    assert "minprune removes 1 of 4, network_slimming removes 3 of 4" in text
    assert "count: minprune asks for 1" in text
    assert "ties: 2 scores equal the one at the cut" in text


def test_ties_away_from_the_cut_are_not_blamed():
    scores = np.array([1.0, 1.0, 2.0, 2.0])
    text = compare("synflow", "force", scores, 0.5)
    assert text == (
        "synflow removes 2 of 4, force removes 2 of 4; the masks are equal."
    )


def test_a_toolkit_that_fails_is_said_to():
    text = compare("sparsegpt", "torch", np.arange(10.0), 1)
    assert text.startswith("sparsegpt fails, torch removes 10 of 10.")
    assert "count: sparsegpt fails, as int(n s) + 1" in text


def test_an_unknown_profile_is_met_with_the_nearest():
    assert profile("tfmot") is PROFILES["tfmot"]
    with pytest.raises(ValueError, match="no profile 'torhc'; did you mean 'torch'"):
        profile("torhc")
    with pytest.raises(ValueError, match="torch: sparsity is 2"):
        PROFILES["torch"].mask(np.ones(3), 2)
