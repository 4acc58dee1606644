"""Chapter M: how many weights go, which, and what a second pruning means."""

from collections.abc import Iterator, Mapping

import numpy as np

from minprune._check import BoolArray
from minprune.conformance import definition, strategies
from minprune.conformance.adapter import Toolkit
from minprune.conformance.registry import Case, check, expect, refuses, same_mask

Rng = np.random.Generator
SIZES = (1, 2, 5, 7, 10, 64, 100)
PERCENTS = (0, 1, 5, 29, 30, 50, 57, 70, 95, 100)


def different(rng: Rng, size: int) -> np.ndarray:
    """Scores no two of which are equal: there is no tie to blame."""
    return rng.permutation(size) + 1.0


def sizes(rng: Rng) -> Iterator[Case]:
    """Sizes and sparsities where float arithmetic, rounding rules and edges differ."""
    for size in SIZES:
        for percent in PERCENTS:
            yield {"scores": {"w": different(rng, size)}, "sparsity": percent / 100}


def nothing_special(rng: Rng) -> Iterator[Case]:
    """A few score sets of two layers, above zero as magnitudes are."""
    for sparsity in (0.1, 0.4, 0.5, 0.75):
        a, b = np.abs(rng.normal(size=(4, 5))), np.abs(rng.normal(size=(3, 2, 2)))
        yield {"scores": {"a": a, "b": b}, "sparsity": sparsity}


@check("M.1", sizes, strategies.untied_requests)
def count_is_exact(toolkit: Toolkit, scores: Case, sparsity: float) -> None:
    """Asking for a sparsity removes the nearest whole number of weights."""
    (score,) = scores.values()
    (mask,) = toolkit.mask(scores, sparsity, "layer").values()
    got, want = int((~np.asarray(mask)).sum()), definition.removed(score.size, sparsity)
    expect(
        got == want,
        f"asked for sparsity {sparsity} of {score.size} different scores: {got} were "
        f"removed, M.1 says {want}",
        scores=scores,
    )


def halves(rng: Rng) -> Iterator[Case]:
    """Odd sizes at one half."""
    for size in (1, 3, 5, 7, 9, 11):
        yield {"scores": {"w": different(rng, size)}, "sparsity": 0.5}


@check("M.1", halves)
def halves_go_to_even(toolkit: Toolkit, scores: Case, sparsity: float) -> None:
    """An exact half is rounded to the even number of removals."""
    count_is_exact(toolkit, scores, sparsity)


def traps(rng: Rng) -> Iterator[Case]:
    """Products that a float gets wrong: 10 * (1 - 0.9), 100 * 0.29, 100 * 0.57."""
    for size, sparsity in ((10, 0.9), (100, 0.29), (100, 0.57), (1000, 0.999)):
        yield {"scores": {"w": different(rng, size)}, "sparsity": sparsity}


@check("M.1", traps)
def the_decimal_counts_not_the_float(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """0.29 of 100 is 29, although the float product is below."""
    count_is_exact(toolkit, scores, sparsity)


def ends(rng: Rng) -> Iterator[Case]:
    """Nothing and everything."""
    for size in (1, 4, 10):
        yield {"scores": {"w": different(rng, size)}}


@check("M.1", ends)
def zero_removes_nothing(toolkit: Toolkit, scores: Case) -> None:
    """Sparsity 0 keeps every weight."""
    (mask,) = toolkit.mask(scores, 0.0, "layer").values()
    expect(bool(np.all(mask)), "sparsity 0 removed weights", scores=scores)


@check("M.1", ends)
def one_removes_everything(toolkit: Toolkit, scores: Case) -> None:
    """Sparsity 1 in layer scope removes every weight."""
    (mask,) = toolkit.mask(scores, 1.0, "layer").values()
    expect(not np.any(mask), "sparsity 1 kept weights", scores=scores)


def outside(rng: Rng) -> Iterator[Case]:
    """What is no share."""
    for sparsity in (-0.1, 1.5, float("nan")):
        yield {"scores": {"w": different(rng, 10)}, "sparsity": sparsity}


@check("M.1", outside)
def a_sparsity_that_is_no_share_is_refused(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """A sparsity outside 0 to 1 is an error, not a guess."""
    refuses(
        lambda: toolkit.mask(scores, sparsity, "layer"),
        f"sparsity {sparsity} was taken",
    )


@check("M.1", nothing_special, strategies.untied_layers)
def the_count_of_a_network_is_of_all_its_weights(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """In network scope the count is of all layers together."""
    masks = toolkit.mask(scores, sparsity, "network")
    size = sum(score.size for score in scores.values())
    got = sum(int((~np.asarray(mask)).sum()) for mask in masks.values())
    want = sum(
        int((~mask).sum())
        for mask in definition.mask(scores, sparsity, "network").values()
    )
    expect(
        got == want,
        f"asked for sparsity {sparsity} of {size} weights in {len(scores)} layers: "
        f"{got} were removed, expected {want}",
        scores=scores,
    )


def ties(rng: Rng) -> Iterator[Case]:
    """All equal, two values, and a tie at the cut."""
    for sparsity in (0.3, 0.5, 0.8):
        yield {"scores": {"w": np.ones(10)}, "sparsity": sparsity}
        yield {"scores": {"w": np.zeros(8)}, "sparsity": sparsity}
        yield {"scores": {"w": rng.integers(2, size=12) * 1.0}, "sparsity": sparsity}
        yield {"scores": {"w": np.array([3.0, 1, 1, 1, 2])}, "sparsity": sparsity}


@check("M.2", ties, strategies.tied_requests)
def ties_do_not_change_the_count(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """Equal scores are split, never removed or kept together."""
    (score,) = scores.values()
    (mask,) = toolkit.mask(scores, sparsity, "layer").values()
    got, want = int((~np.asarray(mask)).sum()), definition.removed(score.size, sparsity)
    expect(
        got == want,
        f"sparsity {sparsity} of {score.size} scores with ties: {got} were removed, "
        f"expected {want}",
        scores=scores,
    )


@check("M.2", ties, strategies.tied_requests)
def among_equals_the_lower_index_goes(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """Of equal scores the one with the lower flat index is removed first."""
    want = definition.mask(scores, sparsity, "layer")["w"]
    got = toolkit.mask(scores, sparsity, "layer")["w"]
    same_mask(got, want, f"sparsity {sparsity} with ties", scores=scores)


@check("M.2", lambda rng: [{}])
def negative_zero_is_zero(toolkit: Toolkit) -> None:
    """The two zeros are one score."""
    scores = {"w": np.array([0.0, -0.0, 0.0, -0.0])}
    same_mask(
        toolkit.mask(scores, 0.5, "layer")["w"],
        [False, False, True, True],
        "half of four zeros",
        scores=scores,
    )


def shared(rng: Rng) -> Iterator[Case]:
    """Equal scores in two layers."""
    yield {"scores": {"a": np.ones(6), "b": np.ones(4)}, "sparsity": 0.5}
    yield {
        "scores": {"a": np.array([1.0, 2, 2]), "b": np.array([2.0, 1, 2])},
        "sparsity": 0.5,
    }


@check("M.2", shared, strategies.tied_layers)
def ties_across_layers_go_in_the_order_of_layers(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """Among equal scores of several layers the earlier layer loses first."""
    want = definition.mask(scores, sparsity, "network")
    got = toolkit.mask(scores, sparsity, "network")
    for name in scores:
        same_mask(got[name], want[name], f"layer {name} at {sparsity}", scores=scores)


@check("M.2", nothing_special)
def memory_order_does_not_matter(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """Scores in Fortran order give the mask of the same scores in C order."""
    tied: Case = {name: np.round(score) for name, score in scores.items()}
    turned: Case = {name: np.asfortranarray(score) for name, score in tied.items()}
    want, got = (toolkit.mask(s, sparsity, "layer") for s in (tied, turned))
    for name in scores:
        same_mask(got[name], want[name], f"layer {name} in Fortran order", scores=tied)


def _in_order(got: Mapping[str, BoolArray], scores: Case, what: str) -> None:
    """No removed score above a kept one, over all layers given."""
    kept = np.concatenate([s[np.asarray(got[n])] for n, s in scores.items()])
    gone = np.concatenate([s[~np.asarray(got[n])] for n, s in scores.items()])
    if kept.size and gone.size:
        expect(
            kept.min() >= gone.max(),
            f"{what}: kept a score of {kept.min():.6g} and removed one of "
            f"{gone.max():.6g}; is the mask inverted, or the score read as 'lower is "
            f"kept'?",
            scores=scores,
        )


@check("M.3", nothing_special, strategies.untied_requests)
def lowest_scores_go_first(toolkit: Toolkit, scores: Case, sparsity: float) -> None:
    """No weight that was removed scores above one of its layer that was kept."""
    got = toolkit.mask(scores, sparsity, "layer")
    for name, score in scores.items():
        _in_order(got, {name: score}, f"layer {name}")


@check("M.3", nothing_special, strategies.untied_layers)
def lowest_scores_of_the_network_go_first(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """In network scope layers compete, floors aside."""
    _in_order(toolkit.mask(scores, sparsity, "network", 0), scores, "network scope")


def signed(rng: Rng) -> Iterator[Case]:
    """Negative scores, huge and tiny ones."""
    yield {"scores": {"w": np.array([-3.0, 2.0, -1.0, 0.5])}, "sparsity": 0.5}
    yield {"scores": {"w": np.array([5e-324, 1e300, 0.0, 1e-300])}, "sparsity": 0.5}
    yield {
        "scores": {"w": np.array([1.0, 1.0 + 2**-52, 1.0 - 2**-53])},
        "sparsity": 0.3,
    }


@check("M.3", signed, strategies.hard_requests)
def scores_are_numbers_not_magnitudes(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """A negative score is below a positive one, and the last bit decides."""
    want = definition.mask(scores, sparsity, "layer")["w"]
    got = toolkit.mask(scores, sparsity, "layer")["w"]
    same_mask(got, want, f"sparsity {sparsity}", scores=scores)


@check("M.3", nothing_special)
def doubling_every_score_changes_nothing(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """Only the order of scores counts."""
    doubled = {name: 2 * score for name, score in scores.items()}
    want, got = (toolkit.mask(s, sparsity, "network") for s in (scores, doubled))
    for name in scores:
        same_mask(got[name], want[name], f"layer {name}, doubled", scores=scores)


def _more(sparsity: float) -> float:
    """A fifth more, as a decimal number of two places."""
    return round(sparsity + 0.2, 2)


@check("M.3", nothing_special)
def higher_sparsity_removes_more_of_the_same(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """Masks at growing sparsities are nested."""
    higher = _more(sparsity)
    less = toolkit.mask(scores, sparsity, "layer")
    more = toolkit.mask(scores, higher, "layer")
    for name in scores:
        back = np.asarray(more[name]) & ~np.asarray(less[name])
        expect(
            not back.any(),
            f"layer {name}: removed at sparsity {sparsity} and kept at {higher}",
            scores=scores,
        )


def unequal(rng: Rng) -> Iterator[Case]:
    """One layer all of whose scores are below the other's."""
    low, high = rng.permutation(6) * 0.01, 1 + rng.permutation(14) * 1.0
    for sparsity in (0.3, 0.5, 0.75):
        yield {"scores": {"low": low, "high": high}, "sparsity": sparsity}


@check("M.4", unequal)
def no_layer_is_emptied_in_network_scope(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """Unless told otherwise, every layer keeps at least one weight."""
    for name, mask in toolkit.mask(scores, sparsity, "network").items():
        expect(
            bool(np.any(mask)),
            f"layer {name} was emptied at sparsity {sparsity}",
            scores=scores,
        )


@check("M.4", unequal)
def a_floor_moves_removals_elsewhere(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """What a floor protects in one layer is removed from another."""
    got = toolkit.mask(scores, sparsity, "network", 2)
    want = definition.mask(scores, sparsity, "network", 2)
    for name in scores:
        same_mask(got[name], want[name], f"layer {name}, floor of 2", scores=scores)


@check("M.4", unequal)
def without_a_floor_a_layer_may_go(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """`min_keep` 0 lets the ranking decide alone."""
    got = toolkit.mask(scores, sparsity, "network", 0)
    want = definition.mask(scores, sparsity, "network", 0)
    for name in scores:
        same_mask(got[name], want[name], f"layer {name}, no floor", scores=scores)


@check("M.4", ends)
def what_floors_forbid_is_refused(toolkit: Toolkit, scores: Case) -> None:
    """Everything cannot go while something must stay."""
    refuses(
        lambda: toolkit.mask(scores, 1.0, "network", 1),
        "sparsity 1 with a floor of one was taken",
        scores=scores,
    )


@check("M.5", nothing_special)
def pruning_again_counts_from_the_original_size(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """Cutting in two steps removes as much as cutting at once."""
    higher = _more(sparsity)
    first = toolkit.mask(scores, sparsity, "layer")
    second = toolkit.mask(scores, higher, "layer", None, first)
    for name, score in scores.items():
        got = int((~np.asarray(second[name])).sum())
        want = definition.removed(score.size, higher)
        expect(
            got == want,
            f"layer {name}: sparsity {sparsity}, then {higher}, removed {got} "
            f"of {score.size}; of the original size it is {want}",
            scores=scores,
        )


@check("M.5", nothing_special)
def what_is_gone_stays_gone(toolkit: Toolkit, scores: Case, sparsity: float) -> None:
    """A removed weight does not come back because its score has risen."""
    first = toolkit.mask(scores, sparsity, "layer")
    risen = {
        name: np.where(np.asarray(first[name]), score, score.max() + 1)
        for name, score in scores.items()
    }
    second = toolkit.mask(risen, _more(sparsity), "layer", None, first)
    for name in scores:
        back = np.asarray(second[name]) & ~np.asarray(first[name])
        expect(not back.any(), f"layer {name}: weights came back", scores=risen)


@check("M.5", nothing_special)
def pruning_again_to_the_same_sparsity_changes_nothing(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """A repeated call is not a further cut."""
    first = toolkit.mask(scores, sparsity, "layer")
    second = toolkit.mask(scores, sparsity, "layer", None, first)
    for name in scores:
        same_mask(second[name], first[name], f"layer {name}, again", scores=scores)


@check("M.6", nothing_special)
def layers_do_not_compete_in_layer_scope(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """A layer's mask is the same alone and in company."""
    together = toolkit.mask(scores, sparsity, "layer")
    for name, score in scores.items():
        alone = toolkit.mask({name: score}, sparsity, "layer")[name]
        same_mask(together[name], alone, f"layer {name} in company", scores=scores)


@check("M.6", nothing_special)
def masks_have_the_shape_of_their_scores(
    toolkit: Toolkit, scores: Case, sparsity: float
) -> None:
    """Every layer gets one mask of booleans, in its own shape."""
    for scope in ("layer", "network"):
        got = toolkit.mask(scores, sparsity, scope)
        expect(set(got) == set(scores), f"{scope}: masks for {sorted(got)}")
        for name, score in scores.items():
            mask = np.asarray(got[name])
            expect(
                mask.dtype == np.bool_ and mask.shape == score.shape,
                f"{scope}: layer {name} of shape {score.shape} got a mask of type "
                f"{mask.dtype} and shape {mask.shape}",
            )


def bad(rng: Rng) -> Iterator[Case]:
    """Scores that cannot be ranked."""
    for value in (np.nan, np.inf, -np.inf):
        yield {"scores": {"w": np.array([1.0, value, 3.0, 2.0])}}


@check("M.7", bad)
def scores_that_are_not_finite_are_refused(toolkit: Toolkit, scores: Case) -> None:
    """NaN has no rank; an infinity is a sum gone wrong."""
    refuses(
        lambda: toolkit.mask(scores, 0.5, "layer"),
        "scores that are not finite were ranked",
        scores=scores,
    )


@check("M.7", nothing_special)
def scores_are_left_alone(toolkit: Toolkit, scores: Case, sparsity: float) -> None:
    """Selecting changes nothing that was given."""
    before = {name: score.copy() for name, score in scores.items()}
    toolkit.mask(scores, sparsity, "network")
    for name, score in scores.items():
        expect(
            bool((score == before[name]).all()),
            f"layer {name}: the scores were changed in place",
            before=before[name],
            after=score,
        )


@check("M.8", lambda rng: [{"sparsity": s} for s in (0.0, 0.5, 1.0)])
def an_empty_layer_has_an_empty_mask(toolkit: Toolkit, sparsity: float) -> None:
    """No weights are no mistake."""
    got = np.asarray(toolkit.mask({"w": np.zeros((0, 3))}, sparsity, "layer")["w"])
    expect(
        got.shape == (0, 3) and got.dtype == np.bool_,
        f"an empty layer got a mask of type {got.dtype} and shape {got.shape}",
    )


@check("M.8", lambda rng: [{"sparsity": s} for s in (0.0, 0.4, 0.5, 0.6, 1.0)])
def a_single_weight_is_rounded_like_any(toolkit: Toolkit, sparsity: float) -> None:
    """One weight goes when the sparsity is above a half."""
    got = toolkit.mask({"w": np.array([0.7])}, sparsity, "layer")["w"]
    same_mask(got, [definition.removed(1, sparsity) == 0], f"sparsity {sparsity}")
