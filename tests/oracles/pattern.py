"""Patterns by their definition: explicit loops and every possible mask."""

from itertools import product


def keep_of_group(scores, keep, group):
    """The mask of a list: rank each group of consecutive scores, drop the lowest.

    A last group that is not full drops what exceeds `keep`.
    """
    mask = []
    for start in range(0, len(scores), group):
        part = scores[start : start + group]
        ranked = sorted(range(len(part)), key=lambda i: (part[i], i))
        goes = set(ranked[: max(len(part) - keep, 0)])
        mask += [i not in goes for i in range(len(part))]
    return mask


def squares(keep, group):
    """Every square mask with `keep` True in each row and column, in ascending order."""
    for flat in product((False, True), repeat=group * group):
        rows = [list(flat[i * group : (i + 1) * group]) for i in range(group)]
        if all(sum(row) == keep for row in rows) and all(
            sum(column) == keep for column in zip(*rows, strict=True)
        ):
            yield rows


def best_square(scores, keep, group):
    """The first of the masks with the highest sum of kept scores."""
    kept_sum = lambda mask: sum(
        scores[i][j] for i in range(group) for j in range(group) if mask[i][j]
    )
    return max(squares(keep, group), key=kept_sum)


def greedy_square(scores, keep, group):
    """Visit places from the highest score down, the later first among equals."""
    places = [(scores[i][j], i, j) for i in range(group) for j in range(group)]
    mask = [[False] * group for _ in range(group)]
    for _, i, j in sorted(places, reverse=True):
        if sum(mask[i]) < keep and sum(row[j] for row in mask) < keep:
            mask[i][j] = True
    return mask


def blocks(shape, block):
    """{(block row, block column): the places in it}, for a matrix."""
    found = {}
    for i in range(shape[0]):
        for j in range(shape[1]):
            found.setdefault((i // block[0], j // block[1]), []).append((i, j))
    return found


def channel(out, inside, shape, groups):
    """The input channel that weight (out, inside) of a grouped convolution reads."""
    outputs_per_group = shape[0] // groups
    return (out // outputs_per_group) * shape[1] + inside
