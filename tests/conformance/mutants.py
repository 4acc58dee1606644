"""Toolkits with one bug each, every one of them met in published code.

`Correct` shares no code with the engine; each class below it overrides one step. The
first line names where such a step was met. These are bugs of our own making, modeled on
published ones: nothing here says what a toolkit does today.
"""

from math import ceil, prod

import numpy as np

from minprune.conformance import Toolkit, definition


class Correct(Toolkit):
    """Every capability, by the definitions; mutants override one step."""

    version = "0"

    def __init__(self):
        self.name = type(self).__name__

    # Steps that mutants replace.

    def count(self, size, sparsity):
        return definition.removed(size, sparsity)

    def cut(self, score, count):
        return definition.cut(score, count)

    def density(self, t, initial, final):
        return final + (initial - final) * (1 - t) ** 3

    # Capabilities.

    def mask(self, scores, sparsity, scope, min_keep=None, previous=None):
        if not 0 <= sparsity <= 1:
            raise ValueError(f"sparsity {sparsity}")
        for score in scores.values():
            if not np.isfinite(score).all():
                raise ValueError("scores are not finite")
        if scope == "network":
            return self.network(scores, sparsity, min_keep)
        out = {}
        for name, score in scores.items():
            ranked = np.asarray(score, float)
            if previous is not None:
                ranked = np.where(previous[name], ranked, -np.inf)
            out[name] = self.cut(ranked, self.count(score.size, sparsity))
        return out

    def network(self, scores, sparsity, min_keep):
        size = sum(score.size for score in scores.values())
        floor = 1 if min_keep is None else min_keep
        room = sum(max(score.size - floor, 0) for score in scores.values())
        if definition.removed(size, sparsity) > room:
            raise ValueError("the floors forbid it")
        return definition.mask(scores, sparsity, "network", min_keep)

    def keep_of_group(self, scores, keep, group, axis):
        return definition.keep_of_group(scores, keep, group, axis)

    def unit_mask(self, scores, unit, sparsity, block=None):
        return definition.unit_mask(scores, unit, sparsity, block)

    def allocate(self, method, shapes, sparsity):
        size = sum(prod(shape) for shape in shapes.values())
        asked = definition.removed(size, sparsity)
        low, high = 0.0, 1e9
        raws = {n: float(definition.raw_density(method, s)) for n, s in shapes.items()}
        for _ in range(200):
            c = (low + high) / 2
            kept = sum(prod(shapes[n]) * min(1, c * raw) for n, raw in raws.items())
            low, high = (c, high) if kept < size - asked else (low, c)
        ideal = {n: prod(s) * (1 - min(1, high * raws[n])) for n, s in shapes.items()}
        counts = {n: int(v + 1e-9) for n, v in ideal.items()}
        by_rest = sorted(ideal, key=lambda n: counts[n] - ideal[n])
        for n in by_rest[: asked - sum(counts.values())]:
            counts[n] += 1
        return counts

    def schedule(self, curve, step, final, begin, end, frequency, initial):
        return definition.schedule(curve, step, final, begin, end, frequency, initial)

    def score(self, criterion, evidence):
        try:
            return definition.score(criterion, evidence)[0].copy()
        except definition.Undecided:  # a check takes any answer
            return np.zeros(0)

    def solve(self, criterion, evidence, options):
        mask, weight, _ = definition.solve(criterion, evidence, options)
        return mask.copy(), weight.copy()

    def forward(self, weight, mask, x):
        return x @ (weight * mask).T

    def backward(self, weight, mask, x, dy):
        return dy.T @ x * mask, dy @ (weight * mask)

    def store(self, weight, mask):
        return np.where(mask, weight, np.float32(0)), mask

    def shrink(self, weights, removed):
        kept = [
            [i for i in range(len(w)) if i not in gone]
            for w, gone in zip(weights, (*removed, ()), strict=True)
        ]
        before = [list(range(weights[0].shape[1])), *kept[:-1]]
        return tuple(
            w[np.ix_(rows, columns)]
            for w, rows, columns in zip(weights, kept, before, strict=True)
        )

    def compact(self, network, x, removed):
        return definition.compact(network, x, removed)


# How many go.


class FloorOfTheProduct(Correct):
    """microsoft/nni, many others: int(n * s), by float."""

    def count(self, size, sparsity):
        return int(size * sparsity)


class ComplementOfTheFloor(Correct):
    """VainF/Torch-Pruning base_pruner.py: n - int(n * (1 - s)), by float."""

    def count(self, size, sparsity):
        return size - int(size * (1 - sparsity))


class RatioIsWhatStays(Correct):
    """VainF/Torch-Pruning manual_prune_width: the ratio given is kept."""

    def count(self, size, sparsity):
        return size - definition.removed(size, sparsity)


class AlwaysRoundsUp(Correct):
    """TimDettmers/sparse_learning: ceil(n * s)."""

    def count(self, size, sparsity):
        return ceil(size * sparsity)


class NeverRemovesAll(Correct):
    """tensorflow/model-optimization pruning_impl.py: at least one is kept."""

    def count(self, size, sparsity):
        return min(definition.removed(size, sparsity), max(size - 1, 0))


class OneFromTheStart(Correct):
    """openvinotoolkit/nncf magnitude: int((n - 1) s) + 1, so sparsity 0 removes one."""

    def count(self, size, sparsity):
        return min(int((size - 1) * sparsity) + 1, size)


class OneTooFew(Correct):
    """alecwangcq/GraSP: the k-th itself is kept."""

    def count(self, size, sparsity):
        return max(int(size * sparsity) - 1, 0)


# Which go.


class TiesFallTogether(Correct):
    """ganguli-lab/Synaptic-Flow pruners.py, and most thresholds: keep > k-th."""

    def cut(self, score, count):
        if not count:
            return np.ones(score.shape, bool)
        return score > np.sort(score, axis=None)[count - 1]


class TiesStayTogether(Correct):
    """tensorflow/model-optimization, naver/force: keep >= threshold."""

    def cut(self, score, count):
        if count >= score.size:
            return np.zeros(score.shape, bool)
        return score >= np.sort(score, axis=None)[count]


class ThresholdOnTheNextScore(Correct):
    """facebookresearch/open_lth sparse_global.py: keep > sort[n], one too many."""

    def cut(self, score, count):
        if score.size == 0:
            return np.ones(score.shape, bool)
        return score > np.sort(score, axis=None)[count]


class HigherIndexFirst(Correct):
    """An argsort of the reversed array: equal scores go from the end."""

    def cut(self, score, count):
        return self_reversed(definition.cut(self_reversed(score), count))


def self_reversed(array):
    """The array with its flat order turned round."""
    return array.ravel()[::-1].reshape(array.shape)


class HighestGoFirst(Correct):
    """IntelLabs/distiller ActivationMeanRankedFilterPruner: the ordering inverted."""

    def cut(self, score, count):
        return definition.cut(-score, count)


class ReadsMagnitudes(Correct):
    """A selection that takes |score|: signed criteria lose their sign."""

    def cut(self, score, count):
        return definition.cut(np.abs(score), count)


class InMemoryOrder(Correct):
    """Ties by memory address: a transposed tensor is cut otherwise."""

    def cut(self, score, count):
        flat = definition.cut(score.ravel(order="K"), count)
        out = np.empty_like(score, dtype=bool)
        out.ravel(order="K")[:] = flat
        if score.flags.f_contiguous and score.ndim > 1:
            return flat.reshape(score.shape, order="F")
        return flat.reshape(score.shape)


class FixedThreshold(Correct):
    """A threshold in units of the score: 0.1 on whatever scale the scores have."""

    def network(self, scores, sparsity, min_keep):
        out = super().network(scores, sparsity, min_keep)
        return {n: out[n] & (np.abs(s) > 0.1) | (s > 1) for n, s in scores.items()}


# Scope, floors, pruning again.


class EmptiesLayers(Correct):
    """Eric-mingjie/network-slimming: a global threshold and no floor."""

    def network(self, scores, sparsity, min_keep):
        return definition.mask(scores, sparsity, "network", min_keep or 0)


class Compounds(Correct):
    """torch.nn.utils.prune: an amount of what remains."""

    def mask(self, scores, sparsity, scope, min_keep=None, previous=None):
        if previous is None or scope == "network":
            return super().mask(scores, sparsity, scope, min_keep, previous)
        out = {}
        for name, score in scores.items():
            left = int(np.sum(previous[name]))
            gone = score.size - left + definition.removed(left, sparsity)
            ranked = np.where(previous[name], score, -np.inf)
            out[name] = definition.cut(ranked, gone)
        return out


class Revives(Correct):
    """ganguli-lab/Synaptic-Flow Rand, GraSP: what is gone competes again."""

    def mask(self, scores, sparsity, scope, min_keep=None, previous=None):
        return super().mask(scores, sparsity, scope, min_keep)


class RanksNaN(Correct):
    """Most toolkits: a NaN takes part in the sort."""

    def mask(self, scores, sparsity, scope, min_keep=None, previous=None):
        clean = {
            n: np.nan_to_num(s, posinf=9e9, neginf=-9e9) for n, s in scores.items()
        }
        return super().mask(clean, sparsity, scope, min_keep, previous)


class ChangesItsScores(Correct):
    """microsoft/nni DependencyAware: `fused = m`, then `+=` on the first metric."""

    def mask(self, scores, sparsity, scope, min_keep=None, previous=None):
        out = super().mask(scores, sparsity, scope, min_keep, previous)
        for score in scores.values():
            score += 1.0
        return out


# Patterns.


class KeepIsRemoved(Correct):
    """TFMOT, wanda and torch.ao call the zeros N; SparseML and ASP what is kept."""

    def keep_of_group(self, scores, keep, group, axis):
        return definition.keep_of_group(scores, group - keep, group, axis)


class GroupTiesFallTogether(Correct):
    """intel/neural-compressor ninm: `<= kthvalue` inside a group."""

    def keep_of_group(self, scores, keep, group, axis):
        moved = np.moveaxis(np.asarray(scores), axis, -1)
        parts = moved.reshape(*moved.shape[:-1], -1, group)
        cutoff = np.sort(parts, axis=-1)[..., group - keep - 1, None]
        return np.moveaxis((parts > cutoff).reshape(moved.shape), -1, axis)


class GroupsOnTheLastAxis(Correct):
    """IST-DASLab/sparsegpt on a convolution: groups mix kernel positions."""

    def keep_of_group(self, scores, keep, group, axis):
        flat = np.asarray(scores).reshape(len(scores), -1)
        if flat.shape[1] % group:
            flat = flat.reshape(1, -1)
        kept = definition.keep_of_group(flat, keep, group, 1)
        return kept.reshape(scores.shape)


class BlocksByMean(Correct):
    """neuralmagic/sparseml: a ragged block is scored by its mean, not its sum."""

    def unit_mask(self, scores, unit, sparsity, block=None):
        if unit != "block":
            return super().unit_mask(scores, unit, sparsity, block)
        parts = definition.units(scores.shape, unit, block)
        means = np.array([scores.ravel()[part].mean() for part in parts])
        kept = definition.cut(means, definition.removed(len(parts), sparsity))
        out = np.ones(scores.size, bool)
        for part, stays in zip(parts, kept, strict=True):
            out[part] = stays
        return out.reshape(scores.shape)


class RowsAreColumns(Correct):
    """torch ln_structured with its default dim=-1: input columns, not filters."""

    def unit_mask(self, scores, unit, sparsity, block=None):
        swapped = "channel" if unit in ("row", "filter") else unit
        return super().unit_mask(scores, swapped, sparsity, block)


# Allocation and schedules.


class ClipsERK(Correct):
    """neuralmagic/sparseml RigL: densities clipped at 1, nothing redistributed."""

    def allocate(self, method, shapes, sparsity):
        if method != "erk":
            return super().allocate(method, shapes, sparsity)
        raws = {n: float(definition.raw_density(method, s)) for n, s in shapes.items()}
        size = sum(prod(shape) for shape in shapes.values())
        c = (1 - sparsity) * size / sum(prod(shapes[n]) * raws[n] for n in shapes)
        return {
            n: round(prod(shape) * (1 - min(1, c * raws[n])))
            for n, shape in shapes.items()
        }


class AllFromTheLargest(Correct):
    """An allocation that meets the total by taking everything from one layer."""

    def allocate(self, method, shapes, sparsity):
        sizes = {name: prod(shape) for name, shape in shapes.items()}
        left = definition.removed(sum(sizes.values()), sparsity)
        counts = dict.fromkeys(shapes, 0)
        for name in sorted(sizes, key=sizes.get, reverse=True):
            counts[name] = min(left, sizes[name])
            left -= counts[name]
        return counts


class SlowFirst(Correct):
    """intel/neural-compressor "cube": the mirror image of Zhu and Gupta's."""

    def schedule(self, curve, step, final, begin, end, frequency, initial):
        if curve != "cubic" or not begin <= step < end:
            return super().schedule(curve, step, final, begin, end, frequency, initial)
        t = ((step - begin) // frequency * frequency) / (end - begin)
        return initial + (final - initial) * t**3


class EvenExponent(Correct):
    """neuralmagic/sparseml polynomial_decay: an even power starts at twice the end."""

    def schedule(self, curve, step, final, begin, end, frequency, initial):
        if curve != "cubic" or not begin <= step < end:
            return super().schedule(curve, step, final, begin, end, frequency, initial)
        t = ((step - begin) // frequency * frequency) / (end - begin)
        return initial + (final - initial) * ((t - 1) ** 2 + 1)


class NeverArrives(Correct):
    """Shiweiliuiiiiiii/In-Time-Over-Parameterization: divides by one step too many."""

    def schedule(self, curve, step, final, begin, end, frequency, initial):
        return super().schedule(curve, step, final, begin, end + 1, frequency, initial)


class MissesTheEnd(Correct):
    """TFMOT: updates at multiples of the frequency only; the last one may not come."""

    def schedule(self, curve, step, final, begin, end, frequency, initial):
        if step >= begin and end > begin:
            step -= (step - begin) % frequency
        return super().schedule(curve, step, final, begin, end, frequency, initial)


class ZeroOverZero(Correct):
    """TFMOT: begin equal to end divides zero by zero."""

    def schedule(self, curve, step, final, begin, end, frequency, initial):
        if begin == end and step >= begin:
            return float("nan")
        return super().schedule(curve, step, final, begin, end, frequency, initial)


# Scores.


class DistancesOfSquares(Correct):
    """VainF/Torch-Pruning FPGMImportance: distances between |w|^p, p = 2."""

    def score(self, criterion, evidence):
        if criterion == "fpgm":
            evidence = {"weight": evidence["weight"] ** 2}
        return super().score(criterion, evidence)


class SignedSaliency(Correct):
    """IntelLabs/distiller GradientRanked: w g without the absolute value."""

    def score(self, criterion, evidence):
        if criterion == "snip":
            return evidence["weight"] * evidence["grad"]
        return super().score(criterion, evidence)


class SquaredNorm(Correct):
    """VainF/Torch-Pruning MagnitudeImportance(p=2): the sum of squares, no root."""

    def score(self, criterion, evidence):
        score = super().score(criterion, evidence)
        return score**2 if criterion == "l2_norm" else score


class NoHalf(Correct):
    """VainF/Torch-Pruning HessianImportance: w^2 h without the half."""

    def score(self, criterion, evidence):
        score = super().score(criterion, evidence)
        return 2 * score if criterion == "obd" else score


class TailIsLost(Correct):
    """LAMP's `sum - cumsum`: each weight is over the sum of those strictly larger."""

    def score(self, criterion, evidence):
        if criterion != "lamp":
            return super().score(criterion, evidence)
        squares = np.sort((evidence["weight"] ** 2).ravel())
        rest = squares.sum() - np.cumsum(squares) + 1e-12
        order = np.argsort((evidence["weight"] ** 2).ravel(), kind="stable")
        out = np.empty(squares.size)
        out[order] = squares / rest
        return out.reshape(evidence["weight"].shape)


# Masked layers, files, removal.


class MaskForgotten(Correct):
    """aojunzz/NM-sparsity's default: keep all of a group, the mask has no effect."""

    def forward(self, weight, mask, x):
        return x @ weight.T


class TrainsWhatIsGone(Correct):
    """openvinotoolkit/nncf before #255: gradients of pruned filters are not zeroed."""

    def backward(self, weight, mask, x, dy):
        return dy.T @ x, dy @ (weight * mask)


class PassesThrough(Correct):
    """A straight-through backward: the input's gradient sees the dense weight."""

    def backward(self, weight, mask, x, dy):
        return dy.T @ x * mask, dy @ weight


class ChangesItsInput(Correct):
    """dcmocanu's SET code: Relu works in place on what it was given."""

    def forward(self, weight, mask, x):
        y = x @ (weight * mask).T
        np.maximum(x, 0, out=x)
        return y


class ZeroMeansPruned(Correct):
    """Any mask read back as `weight != 0`; scipy arithmetic drops stored zeros too."""

    def store(self, weight, mask):
        kept = np.where(mask, weight, np.float32(0))
        return kept, kept != 0


class MaskIsNotSaved(Correct):
    """IntelLabs/distiller before #76: masks are ignored on resume."""

    def store(self, weight, mask):
        return np.where(mask, weight, np.float32(0)), np.ones(mask.shape, bool)


class SixDecimals(Correct):
    """emlearn cgen.py: weights written with six decimals."""

    def store(self, weight, mask):
        kept = np.where(mask, weight, np.float32(0))
        return np.round(kept, 6).astype(np.float32), mask


class NeighborTaken(Correct):
    """Indices shifted by one on the reading side, as after a botched concat."""

    def shrink(self, weights, removed):
        small = list(super().shrink(weights, removed))
        small[1] = np.roll(small[1], 1, axis=1)
        return tuple(small)


def leaf(net, name):
    """A layer of a network that is written down, or None."""
    if "children" not in net:
        return net if net["name"] == name else None
    found = (leaf(child, name) for child in net["children"])
    return next((one for one in found if one is not None), None)


class ConcatNotShifted(Correct):
    """VainF/Torch-Pruning #146: behind a concat, other columns go than should."""

    def compact(self, network, x, removed):
        small = super().compact(network, x, removed)
        if "c" in removed:
            layer = leaf(small, "d")
            layer["weight"] = np.roll(layer["weight"], 2, axis=1)
        return small


class FlattenedByChannel(Correct):
    """VainF/Torch-Pruning #125, #268: one column goes for a channel of many places."""

    def compact(self, network, x, removed):
        small = super().compact(network, x, removed)
        if leaf(network, "flat"):
            rows = np.delete(leaf(network, "b")["weight"], removed["b"], axis=0)
            leaf(small, "b")["weight"] = np.delete(rows, removed["a"], axis=1)
        return small


class GroupsAreKept(Correct):
    """microsoft/nni #2666: a depthwise convolution keeps its number of groups."""

    def compact(self, network, x, removed):
        small = super().compact(network, x, removed)
        layer, whole = leaf(small, "b"), leaf(network, "b")
        layer["groups"] = whole.get("groups", 1)
        return small


class ShiftsStay(Correct):
    """IntelLabs/distiller #36: batch norms are not thinned with their convolution."""

    def compact(self, network, x, removed):
        small = super().compact(network, x, removed)
        for name in ("na", "nb"):
            layer, whole = leaf(small, name), leaf(network, name)
            if layer:
                size = len(layer["shift"])
                layer["shift"] = whole["shift"][:size]
        return small
