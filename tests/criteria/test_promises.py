"""Every criterion keeps the promises on its card. Adding a criterion adds its tests."""

import numpy as np
import pytest

from minprune.criteria import CATALOG, Holds
from tests.criteria.properties import PROPERTIES, cases_of, evidence, outcome

CLAIMS = [
    pytest.param(card, claim, id=f"{card.name}-{claim.name.lower()}")
    for card in CATALOG.values()
    for claim in sorted(card.holds, key=lambda claim: claim.name)
]
CARDS = [pytest.param(card, id=card.name) for card in CATALOG.values()]


def test_every_promise_has_a_test():
    assert set(PROPERTIES) == set(Holds)


@pytest.mark.parametrize(("card", "claim"), CLAIMS)
def test_the_promise_is_kept_for_every_kind_of_layer(card, claim):
    for case in cases_of(card):
        for seed in range(4):
            PROPERTIES[claim](card, case, np.random.default_rng(seed))


@pytest.mark.parametrize("card", CARDS)
def test_the_evidence_is_left_alone(card):
    for case in cases_of(card):
        given = evidence(card, case, np.random.default_rng(0))
        arrays = [array for array in given.values() if isinstance(array, np.ndarray)]
        for array in arrays:
            array.flags.writeable = False
        for got in outcome(card, given):
            assert not any(np.shares_memory(got, array) for array in arrays)
