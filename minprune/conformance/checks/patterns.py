"""Chapter P: keep-of-group patterns, and weights that are removed as one."""

from collections.abc import Iterator

import numpy as np

from minprune._check import BoolArray, FloatArray
from minprune.conformance import definition, strategies
from minprune.conformance.adapter import Toolkit
from minprune.conformance.registry import Case, check, expect, same_mask

Rng = np.random.Generator


def grouped(rng: Rng) -> Iterator[Case]:
    """Weights whose axes groups divide."""
    for keep, group in ((2, 4), (1, 4), (3, 4), (1, 2)):
        yield {
            "scores": rng.normal(size=(4, 8)),
            "keep": keep,
            "group": group,
            "axis": 1,
        }
    yield {"scores": rng.normal(size=(8, 3)), "keep": 2, "group": 4, "axis": 0}
    yield {"scores": rng.normal(size=(3, 8, 2, 2)), "keep": 2, "group": 4, "axis": 1}
    for shape in ((4, 8), (3, 8, 2, 2)):  # as magnitudes are
        yield {"scores": rng.random(shape), "keep": 1, "group": 4, "axis": 1}


@check("P.7", grouped, strategies.group_requests)
def each_group_keeps_exactly_keep(
    toolkit: Toolkit, scores: FloatArray, keep: int, group: int, axis: int
) -> None:
    """`keep` counts what stays, in every group by itself."""
    mask = np.asarray(toolkit.keep_of_group(scores, keep, group, axis))
    expect(mask.shape == scores.shape, f"a mask of shape {mask.shape} came back")
    inside = np.moveaxis(mask, axis, -1).reshape(-1, group).sum(axis=1)
    expect(
        bool((inside == keep).all()),
        f"keep {keep} of {group}: groups keep {sorted(set(inside.tolist()))}; is "
        f"'{keep}:{group}' read as removed?",
        scores=scores,
    )


@check("P.7", grouped, strategies.group_requests)
def each_group_keeps_its_highest(
    toolkit: Toolkit, scores: FloatArray, keep: int, group: int, axis: int
) -> None:
    """Groups are entries that follow each other along the axis, from index 0 on."""
    got = toolkit.keep_of_group(scores, keep, group, axis)
    want = definition.keep_of_group(scores, keep, group, axis)
    same_mask(got, want, f"keep {keep} of {group} along {axis}", scores=scores)


def tied_groups(rng: Rng) -> Iterator[Case]:
    """Equal scores inside a group."""
    yield {"scores": np.ones((2, 8)), "keep": 2, "group": 4, "axis": 1}
    yield {"scores": np.array([[1.0, 1, 1, 2]]), "keep": 2, "group": 4, "axis": 1}
    yield {"scores": np.zeros((4, 4)), "keep": 1, "group": 4, "axis": 0}


@check("P.7", tied_groups)
def ties_in_a_group_keep_the_count(
    toolkit: Toolkit, scores: FloatArray, keep: int, group: int, axis: int
) -> None:
    """Equal scores are split inside a group too, the lower index going first."""
    got = toolkit.keep_of_group(scores, keep, group, axis)
    want = definition.keep_of_group(scores, keep, group, axis)
    same_mask(got, want, f"keep {keep} of {group}, ties", scores=scores)


def matrices(rng: Rng) -> Iterator[Case]:
    """A linear and a convolution weight."""
    for shape in ((6, 8), (4, 3, 2, 2)):
        for sparsity in (0.25, 0.5):
            yield {"scores": rng.random(shape), "sparsity": sparsity}


def _whole(mask: BoolArray, parts: list[list[int]], what: str, scores: object) -> None:
    """Every unit is kept whole or removed whole."""
    flat = np.asarray(mask).ravel()
    for number, part in enumerate(parts):
        kept = int(flat[part].sum())
        expect(
            kept in (0, len(part)),
            f"{what} {number} keeps {kept} of its {len(part)} weights",
            scores=scores,
        )


@check("P.2", matrices)
def rows_go_whole(toolkit: Toolkit, scores: FloatArray, sparsity: float) -> None:
    """A row is every weight with the same first index."""
    mask = np.asarray(toolkit.unit_mask(scores, "row", sparsity))
    _whole(mask, definition.units(scores.shape, "row"), "row", scores)


@check("P.2", matrices)
def channels_go_whole(toolkit: Toolkit, scores: FloatArray, sparsity: float) -> None:
    """A channel is every weight that reads the same input channel."""
    mask = np.asarray(toolkit.unit_mask(scores, "channel", sparsity))
    _whole(mask, definition.units(scores.shape, "channel"), "channel", scores)


@check("P.6", matrices)
def counts_are_of_units(toolkit: Toolkit, scores: FloatArray, sparsity: float) -> None:
    """A sparsity of rows is a share of the rows."""
    mask = np.asarray(toolkit.unit_mask(scores, "row", sparsity))
    got = int((~mask.reshape(len(scores), -1).any(axis=1)).sum())
    want = definition.removed(len(scores), sparsity)
    expect(
        got == want,
        f"sparsity {sparsity} of {len(scores)} rows removed {got}, expected {want}",
        scores=scores,
    )


@check("P.5", matrices, strategies.unit_requests)
def a_row_scores_the_sum_of_its_weights(
    toolkit: Toolkit, scores: FloatArray, sparsity: float
) -> None:
    """The rows with the lowest sums go."""
    got = toolkit.unit_mask(scores, "row", sparsity)
    want = definition.unit_mask(scores, "row", sparsity)
    same_mask(got, want, f"rows at {sparsity}", scores=scores)


@check("P.5", matrices)
def a_filter_scores_the_sum_of_its_weights(
    toolkit: Toolkit, scores: FloatArray, sparsity: float
) -> None:
    """A filter is a row of a convolution weight."""
    got = toolkit.unit_mask(scores, "filter", sparsity)
    want = definition.unit_mask(scores, "filter", sparsity)
    same_mask(got, want, f"filters at {sparsity}", scores=scores)


@check("P.5", matrices)
def a_channel_scores_the_sum_of_its_weights(
    toolkit: Toolkit, scores: FloatArray, sparsity: float
) -> None:
    """Sums run over all outputs and positions."""
    got = toolkit.unit_mask(scores, "channel", sparsity)
    want = definition.unit_mask(scores, "channel", sparsity)
    same_mask(got, want, f"channels at {sparsity}", scores=scores)


def blocked(rng: Rng) -> Iterator[Case]:
    """Blocks that divide the weight."""
    for block in ((2, 2), (4, 1), (1, 4)):
        scores = rng.random((8, 8))
        yield {"scores": scores, "sparsity": 0.5, "block": block}
    yield {"scores": rng.random((4, 2, 2, 2)), "sparsity": 0.25, "block": (2, 4)}


@check("P.4", blocked)
def blocks_go_whole(
    toolkit: Toolkit, scores: FloatArray, sparsity: float, block: tuple[int, int]
) -> None:
    """A block of the matrix of rows is kept whole or removed whole."""
    mask = np.asarray(toolkit.unit_mask(scores, "block", sparsity, block))
    _whole(mask, definition.units(scores.shape, "block", block), "block", scores)


@check("P.5", blocked)
def a_block_scores_the_sum_of_its_weights(
    toolkit: Toolkit, scores: FloatArray, sparsity: float, block: tuple[int, int]
) -> None:
    """The blocks with the lowest sums go."""
    got = toolkit.unit_mask(scores, "block", sparsity, block)
    want = definition.unit_mask(scores, "block", sparsity, block)
    same_mask(got, want, f"blocks {block} at {sparsity}", scores=scores)


def ragged(rng: Rng) -> Iterator[Case]:
    """Blocks that reach over the edge."""
    yield {"scores": rng.random((5, 7)), "sparsity": 0.5, "block": (2, 3)}
    yield {"scores": rng.random((3, 10)), "sparsity": 0.4, "block": (4, 4)}


@check("P.4", ragged)
def blocks_at_the_edge_are_as_large_as_what_is_left(
    toolkit: Toolkit, scores: FloatArray, sparsity: float, block: tuple[int, int]
) -> None:
    """A ragged edge neither fails nor shifts the other blocks."""
    got = toolkit.unit_mask(scores, "block", sparsity, block)
    want = definition.unit_mask(scores, "block", sparsity, block)
    same_mask(got, want, f"ragged blocks {block} at {sparsity}", scores=scores)
