"""Sixteen values for all weights: the best there are, found without luck."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minprune.quantize import quantize, shared
from tests.quantize.networks import NETWORKS, drawn


def error(values, counts, runs):
    """Squared distance of a partition to the means of its runs."""
    means = [np.average(values[r], weights=counts[r]) for r in runs]
    return sum(
        float(counts[r] @ (values[r] - m) ** 2)
        for r, m in zip(runs, means, strict=True)
    )


@given(
    values=st.sets(st.integers(-127, 127), min_size=4, max_size=9),
    seed=st.integers(0, 99),
    books=st.integers(2, 4),
)
def test_no_other_partition_costs_less(values, seed, books):
    values = np.array(sorted(values))
    n = np.random.default_rng(seed).integers(1, 9, len(values))
    counts = np.zeros(255, int)
    counts[values + 127] = n
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "CODES", books)
        found = shared.nearest(counts)[values + 127]
    starts = [0, *(np.flatnonzero(np.diff(found)) + 1), len(values)]
    runs = [slice(a, b) for a, b in pairwise(starts)]
    cuts = combinations(range(1, len(values)), min(books, len(values)) - 1)
    every = (
        [slice(a, b) for a, b in zip((0, *c), (*c, len(values)), strict=True)]
        for c in cuts
    )
    best = min(error(values, n, partition) for partition in every)
    # Two means may round to one level; their runs are then seen as one.
    if len(runs) == min(books, len(values)):
        assert error(values, n, runs) == pytest.approx(best, abs=1e-9)
    for run in runs:
        middle = np.average(values[run], weights=n[run])
        assert len(set(found[run])) == 1
        assert abs(found[run][0] - middle) <= 0.5 + 1e-12 or len(runs) < books


@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_layer_has_sixteen_values_and_its_zeros(name, by_row):
    net, x = drawn(name)
    small = quantize(net, x, bits=4, linear_by_row=by_row)
    for step in small.graph.steps:
        if step.y in small.numbers and hasattr(step, "mask"):
            weight = small.numbers[step.y].weight
            kept = step.mask.reshape(weight.shape)
            assert not weight[~kept].any()
            books = [(weight, kept)]
            if by_row:
                books = zip(weight, kept, strict=True)
            assert all(len(np.unique(w[k])) <= 16 for w, k in books)


def test_few_values_stay_as_they_are():
    weight = np.arange(-7, 8)[None]
    kept = weight != 3
    found = shared.share(weight, kept, 1)
    assert found.tolist() == np.where(kept, weight, 0).tolist()


def test_other_bits_are_refused():
    net, x = drawn("dense")
    with pytest.raises(ValueError, match="bits is 5; expected 4 or 8"):
        quantize(net, x, bits=5)
