"""Every criterion keeps the promises on its card. Adding a criterion adds its tests."""

import numpy as np
import pytest

from minprune.criteria import CATALOG, Holds
from tests.criteria.properties import PROPERTIES, cases_of, evidence, outcome

CLAIMS = [
    pytest.param(card, claim, case, id=f"{card.name}-{claim.name.lower()}-{case.name}")
    for card in CATALOG.values()
    for claim in sorted(card.holds, key=lambda claim: claim.name)
    for case in cases_of(card)
]
ASKED = [
    pytest.param(card, case, id=f"{card.name}-{case.name}")
    for card in CATALOG.values()
    for case in cases_of(card)
]


def test_every_promise_has_a_test():
    assert set(PROPERTIES) == set(Holds)


@pytest.mark.parametrize(("card", "claim", "case"), CLAIMS)
def test_the_promise_is_kept(card, claim, case):
    for seed in range(4):
        PROPERTIES[claim](card, case, np.random.default_rng(seed))


@pytest.mark.parametrize(("card", "case"), ASKED)
def test_the_evidence_is_left_alone(card, case):
    given = evidence(card, case, np.random.default_rng(0))
    arrays = [array for array in given.values() if isinstance(array, np.ndarray)]
    for array in arrays:
        array.flags.writeable = False
    for got in outcome(card, given):
        assert not any(np.shares_memory(got, array) for array in arrays)
