"""Selection: clauses M.1 to M.5 against one-at-a-time removal, then the edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minprune.masks import lowest, select
from tests.oracles import selection as oracle

# Few distinct values, so that ties are the rule; both zeros, which are equal.
VALUES = st.sampled_from([-2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0])
LAYER = st.lists(VALUES, max_size=8)


@st.composite
def problems(draw):
    """Layers, floors, what is gone, and a count that can be met."""
    layers = draw(st.lists(LAYER, min_size=1, max_size=4))
    there = [
        draw(st.lists(st.booleans(), min_size=len(s), max_size=len(s))) for s in layers
    ]
    floors = [draw(st.integers(0, 3)) for _ in layers]
    gone = sum(not kept for mask in there for kept in mask)
    held = sum(min(f, sum(mask)) for f, mask in zip(floors, there, strict=True))
    count = draw(st.integers(gone, sum(map(len, layers)) - held))
    return layers, there, floors, count


def named(parts, dtype=float):
    return {f"w{i}": np.array(part, dtype) for i, part in enumerate(parts)}


@given(problems())
def test_the_mask_is_what_removing_one_at_a_time_leaves(problem):
    layers, there, floors, count = problem
    got = select(
        named(layers),
        count=count,
        scope="network",
        min_keep={f"w{i}": floor for i, floor in enumerate(floors)},
        previous=named(there, bool),
    )
    gone = {(i, j) for i, m in enumerate(there) for j, kept in enumerate(m) if not kept}
    want = oracle.select(layers, count, floors, gone)
    assert {name: mask.tolist() for name, mask in got.items()} == {
        f"w{i}": mask for i, mask in enumerate(want)
    }


@given(st.lists(LAYER, min_size=1, max_size=4), st.integers(0, 100))
def test_scope_layer_is_one_selection_per_layer(layers, percent):
    got = select(named(layers), sparsity=percent / 100)
    for mask, scores in zip(got.values(), layers, strict=True):
        count = oracle.removed(len(scores), str(percent / 100))
        assert mask.tolist() == oracle.select([scores], count, [0])[0]


@given(st.lists(LAYER, min_size=1, max_size=4), st.integers(0, 100))
def test_scope_network_is_one_selection_over_the_layers_in_order(layers, percent):
    got = select(named(layers), sparsity=percent / 100, scope="network", min_keep=0)
    whole = select(np.concatenate(layers), sparsity=percent / 100)
    assert_array_equal(np.concatenate(list(got.values())), whole)


def test_a_group_ranks_its_own_layers():
    scores = named([[1, 2], [3, 4], [5, 6]])
    got = select(
        scores, sparsity={"a": "0.5", "b": 0}, scope={"a": ["w2", "w0"], "b": ["w1"]}
    )
    # In group a, w0 would lose both weights; the default floor moves one to w2.
    assert_array_equal(got["w0"], [False, True])
    assert_array_equal(got["w1"], [True, True])
    assert_array_equal(got["w2"], [False, True])


def test_in_a_group_too_ties_follow_the_order_of_the_scores():
    scores = named([[1, 1], [1, 1]])
    got = select(scores, count=1, scope={"all": ["w1", "w0"]})
    assert_array_equal(got["w0"], [False, True])
    assert_array_equal(got["w1"], [True, True])


@given(st.lists(st.integers(-3, 3), max_size=40), st.data())
def test_lowest_is_the_head_of_a_stable_sort(scores, data):
    scores = np.array(scores, float)
    count = data.draw(st.integers(0, len(scores)))
    want = np.zeros(len(scores), bool)
    want[np.argsort(scores, kind="stable")[:count]] = True
    assert_array_equal(lowest(scores, count), want)


@given(LAYER, st.integers(0, 100), st.integers(0, 100))
def test_masks_are_nested_in_sparsity(scores, a, b):
    low, high = sorted((a, b))
    wide = select(np.array(scores), sparsity=low / 100)
    narrow = select(np.array(scores), sparsity=high / 100)
    assert not (narrow & ~wide).any()


@given(LAYER, st.integers(0, 100), st.integers(0, 100))
def test_pruning_in_two_steps_is_pruning_at_once(scores, a, b):
    """M.5: sparsity is of the original size, so steps do not compound."""
    low, high = sorted((a, b))
    first = select(np.array(scores), sparsity=low / 100)
    second = select(np.array(scores), sparsity=high / 100, previous=first)
    assert_array_equal(second, select(np.array(scores), sparsity=high / 100))
    again = select(np.array(scores), sparsity=high / 100, previous=second)
    assert_array_equal(again, second)


@given(LAYER, st.integers(0, 100))
def test_no_removed_score_is_above_a_kept_one(scores, percent):
    scores = np.array(scores, float)
    mask = select(scores, sparsity=percent / 100)
    if mask.any() and not mask.all():
        assert scores[~mask].max() <= scores[mask].min()


def test_the_first_of_equal_scores_goes():
    assert_array_equal(select(np.ones(5), count=2), [False, False, True, True, True])
    assert_array_equal(select(np.zeros((2, 2)), count=1), [[False, True], [True, True]])


def test_the_two_zeros_are_one_score():
    assert_array_equal(select(np.array([0.0, -0.0]), count=1), [False, True])


def test_flat_order_is_c_order_whatever_the_memory():
    scores = np.zeros((2, 3))
    got = select(np.asfortranarray(scores), count=2)
    assert_array_equal(got, select(scores, count=2))
    assert_array_equal(got, [[False, False, True], [True, True, True]])


def test_what_is_gone_stays_gone_even_if_it_scores_highest():
    previous = np.array([True, False, True])
    got = select(np.array([1.0, 9.0, 2.0]), count=2, previous=previous)
    assert_array_equal(got, [False, False, True])
    assert_array_equal(previous, [True, False, True])


def test_a_floor_moves_removals_to_other_layers():
    scores = named([[1, 2, 3], [7, 8, 9]])
    got = select(scores, count=3, scope="network")
    assert_array_equal(got["w0"], [False, False, True])
    assert_array_equal(got["w1"], [False, True, True])


def test_by_default_network_scope_empties_no_layer_and_layer_scope_may():
    scores = named([[1, 2], [7, 8]])
    got = select(scores, sparsity=0.5, scope="network")
    assert [mask.sum() for mask in got.values()] == [1, 1]
    assert not select(scores, sparsity=1)["w0"].any()


def test_a_floor_cannot_bring_back_what_is_gone():
    scores = named([[1, 2], [7, 8]])
    gone = {"w0": np.array([False, False])}
    got = select(scores, count=3, scope="network", previous=gone)
    assert_array_equal(got["w0"], [False, False])
    assert_array_equal(got["w1"], [False, True])


def test_an_excluded_layer_is_whole_and_not_counted():
    scores = {"fc.weight": np.arange(4.0), "fc.bias": np.zeros(4)}
    got = select(scores, sparsity=0.5, scope="network", exclude=["*.bias"])
    assert_array_equal(got["fc.weight"], [False, False, True, True])
    assert got["fc.bias"].all()
    assert list(got) == list(scores)


def test_an_excluded_layer_keeps_its_previous_mask():
    scores = named([[1, 2], [3, 4]])
    before = {"w1": np.array([True, False])}
    got = select(scores, count=1, exclude="w1", previous=before)
    assert_array_equal(got["w1"], [True, False])
    assert not np.shares_memory(got["w1"], before["w1"])


def test_each_layer_may_have_its_own_count_or_share():
    scores = named([[1, 2], [3, 4, 5]])
    got = select(scores, count={"w0": 0, "w1": 2})
    assert [mask.sum() for mask in got.values()] == [2, 1]
    got = select(scores, sparsity={"w0": "0.5", "w1": 1})
    assert [mask.sum() for mask in got.values()] == [1, 0]


def test_scores_are_left_alone():
    scores = np.array([2.0, 1.0, 3.0])
    scores.flags.writeable = False
    select(scores, count=2, min_keep=1, previous=np.array([True, False, True]))
    assert_array_equal(scores, [2.0, 1.0, 3.0])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int32, np.uint8])
def test_any_real_type_is_ranked(dtype):
    got = select(np.array([3, 1, 2], dtype), count=1)
    assert_array_equal(got, [True, False, True])


def test_the_empty_tensor_has_an_empty_mask():
    assert select(np.empty((0, 3)), sparsity=0.9).shape == (0, 3)
    got = select(
        {"w": np.arange(4.0), "none": np.empty(0)}, sparsity=0.5, scope="network"
    )
    assert got["none"].size == 0
    assert_array_equal(got["w"], [False, False, True, True])


def test_the_single_weight_stays_or_goes():
    assert_array_equal(select(np.array([7.0]), sparsity="0.5"), [True])
    assert_array_equal(select(np.array([7.0]), sparsity="0.6"), [False])
    assert select(np.array(7.0), count=1).shape == ()


def test_denormal_and_huge_scores_are_told_apart():
    tiny = np.array([5e-324, 0.0, 1e308, -1e308])
    assert_array_equal(select(tiny, count=2), [True, False, True, False])


def test_a_nan_is_refused_with_its_place():
    with pytest.raises(
        ValueError, match=r"select: w1 holds 1 .*\(nan\) at index \(1,\)"
    ):
        select(named([[1.0], [0.0, np.nan]]), sparsity=0.5)


def test_an_infinity_is_refused_with_its_place():
    with pytest.raises(ValueError, match=r"scores holds 1 .*\(inf\) at index \(0, 1\)"):
        select(np.array([[0.0, np.inf]]), sparsity=0.5)


@pytest.mark.parametrize("scores", [np.array([True]), np.array([1j]), np.array(["a"])])
def test_what_cannot_be_ranked_is_refused(scores):
    with pytest.raises(TypeError, match="expected real numbers"):
        select(scores, sparsity=0.5)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_whole_numbers_that_float64_holds_are_told_apart_and_others_refused(dtype):
    """2^53 + 1 reads as 2^53, a tie, and the higher score would go (M.3)."""
    last = np.array([2**53, 2**53 - 1], dtype)
    assert select(last, count=1).tolist() == [True, False]
    with pytest.raises(ValueError, match="scores holds whole numbers beyond 2\\^53"):
        select(last + dtype(1), count=1)


def test_a_request_is_a_share_or_a_count():
    for request in ({}, {"sparsity": 0.5, "count": 1}):
        with pytest.raises(ValueError, match="either sparsity or count"):
            select(np.ones(3), **request)


def test_a_sparsity_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"^select: sparsity is 1.5; expected"):
        select(np.ones(3), sparsity=1.5)


@pytest.mark.parametrize(
    ("request_", "nearest"),
    [
        ({"count": 4}, "only 3; the nearest that can be met is 3 .sparsity 1"),
        ({"sparsity": 1, "min_keep": 2}, "holds 2; the nearest that can be met is 1 "),
        (
            {"count": 1, "previous": np.array([False, False, True])},
            "2 are already gone and stay gone; the nearest that can be met is 2 ",
        ),
    ],
)
def test_what_cannot_be_met_is_refused_with_the_nearest(request_, nearest):
    with pytest.raises(ValueError, match=nearest):
        select(np.ones(3), **request_)


def test_network_scope_at_sparsity_one_names_the_floor():
    with pytest.raises(
        ValueError, match=r"remove 4 of 4 in 'network', but min_keep hold"
    ):
        select(named([[1, 2], [3, 4]]), sparsity=1, scope="network")


def test_nothing_to_select_from_is_refused():
    with pytest.raises(ValueError, match="there are no scores"):
        select({}, sparsity=0.5)
    with pytest.raises(ValueError, match="nothing is left to prune"):
        select(named([[1, 2]]), sparsity=0.5, exclude=["w*"])
    with pytest.raises(ValueError, match="group 'a' has nothing left to prune"):
        select(
            named([[1], [2]]),
            sparsity=0.5,
            scope={"a": ["w0"], "b": ["w1"]},
            exclude="w0",
        )


def test_an_unknown_name_is_met_with_the_nearest():
    scores = {"fc1.weight": np.ones(2)}
    for request in (
        {"exclude": ["fc1.weigth"]},
        {"previous": {"fc1.weigth": np.ones(2, bool)}},
        {"scope": {"a": ["fc1.weigth"]}},
        {"min_keep": {"fc1.weigth": 1}},
    ):
        with pytest.raises(ValueError, match=r"did you mean 'fc1\.weight'"):
            select(scores, sparsity=0.5, **request)
    with pytest.raises(
        ValueError, match="there is no scope 'netwrk'; did you mean 'netw"
    ):
        select(scores, sparsity=0.5, scope="netwrk")
    with pytest.raises(ValueError, match=r"no sparsity for 'fc1\.weight'"):
        select(scores, sparsity={"fc2": 0.5})


def test_a_layer_is_in_one_group():
    scores = named([[1], [2]])
    with pytest.raises(ValueError, match="'w0' is in group 'a' and again in 'b'"):
        select(scores, sparsity=0.5, scope={"a": ["w0"], "b": ["w1", "w0"]})
    with pytest.raises(ValueError, match="'w1' is in no group"):
        select(scores, sparsity=0.5, scope={"a": ["w0"]})


@pytest.mark.parametrize("mask", [np.ones(2, bool), np.ones(3)])
def test_a_previous_mask_has_the_shape_of_the_scores_and_is_boolean(mask):
    with pytest.raises(ValueError, match="expected bool, True where kept, of shape"):
        select(np.ones(3), sparsity=0.5, previous=mask)


@pytest.mark.parametrize("count", [-1, 4])
def test_lowest_refuses_a_count_outside_the_array(count):
    with pytest.raises(ValueError, match=f"lowest: count is {count}"):
        lowest(np.ones(3), count)


def test_lowest_refuses_what_has_no_rank():
    with pytest.raises(ValueError, match="scores is NaN at flat index 2"):
        lowest(np.array([[1.0, 2.0], [np.nan, 3.0]]), 1)
