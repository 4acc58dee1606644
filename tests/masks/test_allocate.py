"""Allocations: the published procedures, exact totals, then the edges."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minprune.masks import allocate, removed, select
from tests.oracles import allocation as oracle

LENET = {"fc1": (300, 784), "fc2": (100, 300), "fc3": (10, 100)}
SMALL_CONV = {
    "conv1": (64, 3, 3, 3),
    "conv2": (64, 64, 3, 3),
    "conv3": (128, 64, 3, 3),
    "fc": (10, 128),
}
SHAPES = st.dictionaries(
    st.sampled_from("abcdef"),
    st.one_of(
        st.tuples(st.integers(1, 12), st.integers(1, 12)),
        st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3), st.just(3)),
    ),
    min_size=1,
)
SPARSITY = st.integers(0, 100).map(lambda percent: Fraction(percent, 100))
by_shape = pytest.mark.parametrize(
    "make", [allocate.uniform, allocate.er, allocate.erk]
)


def sizes_of(shapes):
    return {name: math.prod(shape) for name, shape in shapes.items()}


def within(counts, shapes, sparsity):
    """The promise of every allocation: an exact total, no layer past its size."""
    sizes = sizes_of(shapes)
    assert list(counts) == list(shapes)
    assert sum(counts.values()) == removed(sum(sizes.values()), sparsity)
    assert all(0 <= counts[name] <= sizes[name] for name in sizes)


@by_shape
@given(SHAPES, SPARSITY)
def test_the_total_is_exact_and_no_layer_loses_more_than_it_has(make, shapes, sparsity):
    within(make(shapes, sparsity), shapes, sparsity)


@given(SHAPES, SPARSITY)
def test_uniform_is_the_same_share_to_within_one_weight(shapes, sparsity):
    sizes = sizes_of(shapes)
    total = removed(sum(sizes.values()), sparsity)
    for name, count in allocate.uniform(shapes, sparsity).items():
        assert abs(count - Fraction(total * sizes[name], sum(sizes.values()))) < 1


@pytest.mark.parametrize(
    ("make", "kernels"), [(allocate.er, False), (allocate.erk, True)]
)
@given(SHAPES, st.integers(1, 100))
def test_erdos_renyi_is_the_loop_of_its_authors(make, kernels, shapes, percent):
    sizes = sizes_of(shapes)
    total = sum(sizes.values())
    counts = make(shapes, Fraction(percent, 100))
    density = Fraction(total - sum(counts.values()), total)
    want = oracle.erk(shapes, density, kernels=kernels)
    for name, count in counts.items():
        assert abs(sizes[name] - count - want[name]) < 1


@pytest.mark.parametrize("percent", [50, 80, 90])
def test_erk_reaches_the_density_where_one_clip_does_not(percent):
    """Without redistribution the densities asked come out as .332, .149 and .086."""
    sizes = sizes_of(SMALL_CONV)
    counts = allocate.erk(SMALL_CONV, Fraction(percent, 100))
    assert sum(counts.values()) == removed(sum(sizes.values()), Fraction(percent, 100))

    raw = {n: Fraction(sum(s), math.prod(s)) for n, s in SMALL_CONV.items()}
    kept = Fraction(100 - percent, 100) * sum(sizes.values())
    scale = kept / sum(raw[n] * sizes[n] for n in sizes)
    clipped = sum(min(1, scale * raw[n]) * sizes[n] for n in sizes) / sum(
        sizes.values()
    )
    assert f"{float(clipped):.3f}" == {50: "0.332", 80: "0.149", 90: "0.086"}[percent]


def test_er_and_erk_are_one_for_linear_layers():
    assert allocate.er(LENET, "0.9") == allocate.erk(LENET, "0.9")


@given(SHAPES, SPARSITY)
def test_more_sparsity_never_gives_weights_back(shapes, sparsity):
    """To within the one weight that rounding between the layers may move."""
    more = min(sparsity + Fraction(1, 10), Fraction(1))
    low, high = allocate.erk(shapes, sparsity), allocate.erk(shapes, more)
    assert all(low[name] <= high[name] + 1 for name in shapes)


@given(SHAPES, SPARSITY, st.integers(1, 9))
def test_only_ratios_of_sensitivities_count(shapes, sparsity, factor):
    rng = np.random.default_rng(0)
    sensitive = {name: Fraction(int(rng.integers(1, 9))) for name in shapes}
    counts = allocate.by_sensitivity(shapes, sensitive, sparsity)
    within(counts, shapes, sparsity)
    scaled = {name: factor * value for name, value in sensitive.items()}
    assert allocate.by_sensitivity(shapes, scaled, sparsity) == counts
    equal = dict.fromkeys(shapes, 0.3)
    want = allocate.uniform(shapes, sparsity)
    assert allocate.by_sensitivity(shapes, equal, sparsity) == want


def test_twice_as_sensitive_keeps_twice_the_share_until_it_is_whole():
    shapes = {"a": (10, 10), "b": (10, 10)}
    sensitive = {"a": 2, "b": 1}
    assert allocate.by_sensitivity(shapes, sensitive, "0.7") == {"a": 60, "b": 80}
    assert allocate.by_sensitivity(shapes, sensitive, "0.2") == {"a": 0, "b": 40}


@pytest.mark.parametrize("percent", range(0, 80, 7))
@pytest.mark.parametrize("first", [(8, 1, 3, 3), (8, 3, 5), (8, 9)])
def test_uniform_plus_spares_the_first_convolution_and_the_last_layer(first, percent):
    shapes = {"first": first, "middle": (40, 40), "other": (30, 40), "last": (10, 30)}
    sizes = list(sizes_of(shapes).values())
    counts = allocate.uniform_plus(shapes, Fraction(percent, 100))
    within(counts, shapes, Fraction(percent, 100))
    want = oracle.uniform_plus(sizes, sum(counts.values()), len(first) > 2)
    for count, ideal in zip(counts.values(), want, strict=True):
        assert abs(count - ideal) < 1


def test_uniform_plus_keeps_a_fifth_of_the_last_layer():
    shapes = {"first": (8, 1, 3, 3), "middle": (40, 40), "last": (10, 40)}
    assert allocate.uniform_plus(shapes, "0.9")["last"] == 320
    assert allocate.uniform_plus(shapes, "0.9", last=1)["last"] == 373


def test_uniform_plus_names_the_highest_sparsity_it_can_reach():
    shapes = {"first": (8, 1, 3, 3), "last": (10, 8)}
    with pytest.raises(
        ValueError, match=r"only 64 may go; the nearest .* is 0\.421053"
    ):
        allocate.uniform_plus(shapes, "0.5")
    assert allocate.uniform_plus(shapes, "0.421053") == {"first": 0, "last": 64}


@given(st.integers(0, 90))
def test_network_wide_is_what_selection_takes(percent):
    rng = np.random.default_rng(percent)
    scores = {"a": rng.normal(size=(4, 5)), "b": rng.normal(size=30), "c": np.ones(1)}
    counts = allocate.network(scores, percent / 100)
    masks = select(scores, sparsity=percent / 100, scope="network")
    again = select(scores, count=counts)
    assert all((masks[name] == again[name]).all() for name in scores)


def test_lamp_gives_a_small_scale_layer_its_due():
    """Magnitude alone would empty the layer of small weights; LAMP sees its shape."""
    rng = np.random.default_rng(0)
    weights = {"a": rng.normal(size=200), "b": 1e-3 * rng.normal(size=200)}
    sizes = {name: np.abs(weight) for name, weight in weights.items()}
    assert allocate.network(sizes, "0.5") == {"a": 1, "b": 199}
    counts = allocate.lamp(weights, "0.5")
    assert sum(counts.values()) == 200
    assert abs(counts["a"] - counts["b"]) < 20


def test_lamp_ranks_by_the_share_of_what_remains():
    weights = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([1.0, 1.0])}
    # Scores: a 1/14, 4/13, 1 and b 1/2, 1.
    assert allocate.lamp(weights, count_share(2, 5)) == {"a": 2, "b": 0}
    assert allocate.lamp(weights, count_share(3, 5)) == {"a": 2, "b": 1}


def count_share(count, size):
    return Fraction(count, size)


def spiky(size, outliers):
    scores = np.ones(size)
    scores[:outliers] = 1000.0
    return scores


def test_owl_is_the_papers_formula_for_layers_of_one_size():
    scores = {"a": spiky(1000, 10), "b": spiky(1000, 30), "c": spiky(1000, 50)}
    counts = allocate.owl(scores, "0.7", outlier=5)
    want = oracle.owl([1, 3, 5], Fraction(3, 10), Fraction(8, 100))
    assert list(counts.values()) == [round(1000 * (1 - density)) for density in want]


@given(SPARSITY, st.lists(st.integers(0, 9), min_size=1, max_size=4))
def test_owl_stays_within_each_layer_and_its_total_is_exact(sparsity, outliers):
    scores = {str(i): spiky(20 * (i + 1), k) for i, k in enumerate(outliers)}
    shapes = {name: array.shape for name, array in scores.items()}
    within(allocate.owl(scores, sparsity, spread="0.3"), shapes, sparsity)


def test_owl_refuses_what_has_no_outliers():
    with pytest.raises(ValueError, match=r"owl: a is -1\.0 at index \(1,\)"):
        allocate.owl({"a": np.array([1.0, -1.0])}, "0.5")
    for outlier in (0.0, -1.0, float("nan"), math.inf):
        with pytest.raises(ValueError, match=f"outlier is {outlier}; expected a num"):
            allocate.owl({"a": np.ones(2)}, "0.5", outlier=outlier)


def test_owl_without_outliers_is_uniform():
    scores = {"a": np.ones(10), "b": np.zeros(30), "none": np.empty(0)}
    assert allocate.owl(scores, "0.5") == {"a": 5, "b": 15, "none": 0}


def test_owl_clips_densities_and_still_meets_the_total():
    """The layer with most outliers would pass density 1 and is whole instead."""
    scores = {"a": spiky(100, 0), "b": spiky(100, 10), "c": spiky(300, 60)}
    counts = allocate.owl(scores, "0.1", spread="0.4", outlier=2)
    assert counts["c"] == 0
    assert sum(counts.values()) == 50
    # Between a and b the densities still differ by half the range.
    assert counts["a"] - counts["b"] == 40


PARTS = st.lists(st.integers(0, 6).map(float), max_size=6)


@given(
    st.lists(PARTS, min_size=1, max_size=3),
    st.lists(st.integers(1, 8), min_size=3, max_size=3),
    st.integers(0, 60),
)
def test_by_cost_removes_what_is_worth_least_until_the_rest_fits(parts, costs, budget):
    costs = [Fraction(2) ** -cost for cost in costs]  # ratios exact in binary
    budget *= Fraction(1, 16)
    scores = {str(i): np.array(part) for i, part in enumerate(parts)}
    prices = {str(i): costs[i] for i in range(len(parts))}
    got = allocate.by_cost(scores, prices, budget, min_keep=0)
    assert list(got.values()) == oracle.by_cost(parts, costs, budget)


@given(st.integers(0, 40))
def test_by_cost_is_within_one_weight_of_the_best_choice(budget):
    """Against every subset of nine weights."""
    rng = np.random.default_rng(budget)
    scores = {"a": rng.random(4), "b": rng.random(5)}
    costs = {"a": 7, "b": 2}
    counts = allocate.by_cost(scores, costs, budget, min_keep=0)
    masks = select(scores, count=counts)
    cost = sum(costs[n] * int(masks[n].sum()) for n in scores)
    got = sum(float(scores[n][masks[n]].sum()) for n in scores)
    assert cost <= budget
    values, prices = [*scores["a"], *scores["b"]], [7] * 4 + [2] * 5
    best = max(
        sum(v for v, one in zip(values, chosen, strict=True) if one)
        for chosen in product((0, 1), repeat=9)
        if sum(p for p, one in zip(prices, chosen, strict=True) if one) <= budget
    )
    assert got <= best + 1e-12  # sums of nine numbers below 1
    assert got > best - max(values) - 1e-12


def test_by_cost_holds_the_floors():
    scores = {"cheap": np.array([5.0, 6.0]), "dear": np.array([1.0, 2.0])}
    costs = {"cheap": 1, "dear": 100}
    assert allocate.by_cost(scores, costs, 110) == {"cheap": 0, "dear": 1}
    assert allocate.by_cost(scores, costs, 101) == {"cheap": 1, "dear": 1}
    assert allocate.by_cost(scores, costs, 2, min_keep=0) == {"cheap": 0, "dear": 2}
    with pytest.raises(ValueError, match=r"min_keep holds cost 101, which is the near"):
        allocate.by_cost(scores, costs, 100)


def test_a_budget_that_pays_for_all_removes_nothing():
    scores = {"a": np.arange(3.0)}
    assert allocate.by_cost(scores, {"a": 0.1}, 0.3) == {"a": 0}
    assert allocate.by_cost(scores, {"a": 0.1}, 0.29) == {"a": 1}


def test_costs_beyond_64_bits_add_up():
    scores = {"a": np.arange(4.0), "b": np.arange(1.0, 5.0)}
    costs = {"a": 2**62, "b": 2**62 + 1}
    counts = allocate.by_cost(scores, costs, 4 * (2**62), min_keep=0)
    # In turn: a, a, b, a leave 4 * 2**62 + 3, so one more of b.
    assert counts == {"a": 3, "b": 2}


def test_by_cost_refuses_what_has_no_ratio():
    scores = {"a": np.array([[1.0, 2.0], [-3.0, 0.0]])}
    with pytest.raises(ValueError, match=r"by_cost: a is -3\.0 at index \(1, 0\)"):
        allocate.by_cost(scores, {"a": 1}, 2)
    for cost in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="the cost of 'a' is"):
            allocate.by_cost({"a": np.ones(3)}, {"a": cost}, 2)
    for budget in (-1, math.nan, math.inf):
        with pytest.raises(ValueError, match="budget is"):
            allocate.by_cost({"a": np.ones(3)}, {"a": 1}, budget)
    with pytest.raises(ValueError, match="no cost for 'a'"):
        allocate.by_cost({"a": np.ones(3)}, {"b": 1}, 2)


@by_shape
def test_empty_layers_and_single_weights_are_defined(make):
    assert make({"none": (0, 5), "one": (1, 1)}, 1) == {"none": 0, "one": 1}
    assert make({"none": (0, 5)}, "0.5") == {"none": 0}
    with pytest.raises(ValueError, match="there are no shapes"):
        make({}, "0.5")
    with pytest.raises(ValueError, match=r"sparsity is 1\.5"):
        make(LENET, 1.5)


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf])
def test_a_sensitivity_is_a_number_above_zero(bad):
    with pytest.raises(ValueError, match="the sensitivity of 'fc2' is"):
        allocate.by_sensitivity(LENET, {"fc1": 1, "fc2": bad, "fc3": 1}, "0.5")
    with pytest.raises(ValueError, match="no sensitivity for 'fc3'; did you mean"):
        allocate.by_sensitivity(LENET, {"fc1": 1, "fc2": 1}, "0.5")


def test_counts_go_straight_into_selection():
    scores = {name: np.ones(shape) for name, shape in LENET.items()}
    masks = select(scores, count=allocate.erk(LENET, "0.95"))
    total = sum(mask.size for mask in masks.values())
    assert sum(int((~mask).sum()) for mask in masks.values()) == removed(total, "0.95")


def test_allocations_by_shape_are_found_by_name():
    assert list(allocate.ALLOCATIONS) == ["uniform", "uniform_plus", "er", "erk"]
