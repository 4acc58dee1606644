"""The cards: complete, true to the functions they stand beside, and cited."""

import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from minprune.criteria import CATALOG, Holds, criterion
from tests.criteria.properties import (
    cases_of,
    evidence,
    outcome,
    score_roles,
    shape_of,
)

ROOT = Path(__file__).parents[2]
CARDS = [pytest.param(card, id=card.name) for card in CATALOG.values()]
SCORES = [
    pytest.param(card, id=card.name)
    for card in CATALOG.values()
    if card.kind == "score"
]


def test_there_is_a_catalog():
    assert CATALOG


@pytest.mark.parametrize("card", CARDS)
def test_an_oracle_is_written_for_it(card):
    oracle = importlib.import_module(f"tests.oracles.{card.family}")
    assert callable(getattr(oracle, card.name, None))


@pytest.mark.parametrize("card", CARDS)
def test_what_it_cites_is_in_the_bibliography(card):
    known = re.findall(r"@\w+\{([^,\s]+),", (ROOT / "docs/references.bib").read_text())
    assert card.cites
    assert set(card.cites) <= set(known)


def test_no_work_is_in_the_bibliography_twice():
    known = re.findall(r"@\w+\{([^,\s]+),", (ROOT / "docs/references.bib").read_text())
    assert len(known) == len(set(known))


@pytest.mark.parametrize("card", CARDS)
def test_its_docstring_has_the_sections_a_reader_looks_for(card):
    text = inspect.getdoc(card.function) or ""
    sections = re.findall(r"^(\w[\w ]*)\n-{3,}$", text, flags=re.MULTILINE)
    for wanted in ("Parameters", "Returns", "Raises", "Notes", "References"):
        assert wanted in sections, wanted
    assert ">>> " in text


@pytest.mark.parametrize("card", SCORES)
def test_a_score_is_float64_of_the_shape_its_granularity_says(card):
    for case in cases_of(card):
        given = evidence(card, case, np.random.default_rng(1))
        narrow = {
            name: a.astype(np.float32) if isinstance(a, np.ndarray) else a
            for name, a in given.items()
        }
        for arrays in (given, narrow):
            (score,) = outcome(card, arrays)
            assert score.dtype == np.float64
            assert score.shape == shape_of(score_roles(card, case), case)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e37, 1e-37])
@pytest.mark.parametrize("card", SCORES)
def test_a_score_is_finite_for_whatever_float32_can_hold(card, size):
    """C.1; fourth powers of it are still inside float64."""
    if card.family == "inverse_fisher" and size > 1:
        return  # the ridge, which has a unit of its own, would be lost: refused
    for case in cases_of(card):
        given = evidence(card, case, np.random.default_rng(4))
        (score,) = outcome(card, {name: size * a for name, a in given.items()})
        assert np.isfinite(score).all()


@pytest.mark.parametrize("card", CARDS)
def test_whatever_it_points_at_is_there(card):
    """See Also names other criteria, or something that stands in the same file."""
    text = inspect.getdoc(card.function) or ""
    _, _, after = text.partition("See Also\n--------\n")
    listed, _, _ = after.partition("\n\n")
    for line in listed.splitlines():
        if line and not line.startswith(" "):
            for name in line.partition(" :")[0].split(", "):
                there = hasattr(inspect.getmodule(card.function), name)
                assert name in CATALOG or there, name


@pytest.mark.parametrize("card", SCORES)
def test_a_value_that_is_no_number_is_refused_by_name(card):
    rng = np.random.default_rng(2)
    for case in cases_of(card):
        for name in card.needs:
            given = evidence(card, case, rng)
            given[name].flat[0] = np.nan
            expected = rf"{card.name}: {name} holds .*non-finite"
            with pytest.raises(ValueError, match=expected):
                outcome(card, given)


SQUARES = {"fisher_diag", "path_grad", "squared_updates", "coupled_norms"}
SIZES = {"input_norm", "input_variance"}


@pytest.mark.parametrize("card", SCORES)
def test_squares_and_sizes_below_zero_are_refused(card):
    """Of who promises a score of zero or more, or an approximation that rests on it."""
    rng = np.random.default_rng(3)
    for case in cases_of(card):
        for name in (SQUARES | SIZES) & set(card.needs):
            if card.name == "taylor_fisher":
                continue  # any curvature will do
            given = evidence(card, case, rng)
            given[name].flat[-1] = -0.5
            with pytest.raises(ValueError, match=rf"{card.name}: {name} is -0\.5 at"):
                outcome(card, given)


def test_a_name_is_filed_once():
    with pytest.raises(ValueError, match="'magnitude' is filed twice, by magnitude"):

        @criterion(
            unit="weight",
            granularity="weight",
            formula="|w|",
            cites=("han2015learning",),
            holds={Holds.NON_NEGATIVE},
        )
        def magnitude(weight):
            return weight


def test_damping_is_a_hundredth_unless_given():
    """As in the official code of OBC and SparseGPT (``percdamp``), and everywhere."""
    given = {
        name: inspect.signature(card.function).parameters["damping"].default
        for name, card in CATALOG.items()
        if "damping" in inspect.signature(card.function).parameters
    }
    assert given == dict.fromkeys(given, 0.01)
    assert {"obc", "obc_n_m", "sparsegpt", "sparsegpt_n_m"} <= given.keys()
