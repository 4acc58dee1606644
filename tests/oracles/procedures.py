"""Procedures as their papers write them: one weight at a time, in plain loops."""

import math
from fractions import Fraction


def ladder(sizes, rates, rounds):
    """Share kept of all weights after some rounds, each layer with its own rate."""
    kept = sum(
        Fraction(size) * (1 - Fraction(rate)) ** rounds
        for size, rate in zip(sizes, rates, strict=True)
    )
    return kept / sum(sizes)


def set_drop(values, zeta):
    """SET: the smallest positive and the largest negative weights, by index."""
    positive = sorted((v, i) for i, v in enumerate(values) if v >= 0)
    negative = sorted((-v, i) for i, v in enumerate(values) if v < 0)
    zeta = Fraction(str(zeta))
    gone = [i for _, i in positive[: math.floor(zeta * len(positive))]]
    return set(gone + [i for _, i in negative[: math.floor(zeta * len(negative))]])


def rigl(weight, mask, grad, rate):
    """RigL on dense lists: the new mask and weight after one exchange.

    Drops the smallest among the live ones, grows the largest gradients among all that
    is not kept; what returns keeps its value.
    """
    live = [i for i, m in enumerate(mask) if m]
    count = math.floor(Fraction(str(rate)) * len(live))
    dropped = sorted(live, key=lambda i: (abs(weight[i]), i))[:count]
    kept = [i for i in live if i not in dropped]
    rest = [i for i in range(len(weight)) if i not in kept]
    grown = sorted(rest, key=lambda i: (-abs(grad[i]), i))[:count]
    new = [i in kept or i in grown for i in range(len(weight))]
    return new, [
        w if n and m else 0.0 for w, n, m in zip(weight, new, mask, strict=True)
    ]


def splice(weight, mask, threshold):
    """Dynamic network surgery, eq. (3), one entry at a time."""
    out = []
    for w, m in zip(weight, mask, strict=True):
        if abs(w) <= 0.9 * threshold:
            out.append(False)
        elif abs(w) > 1.1 * threshold:
            out.append(True)
        else:
            out.append(m)
    return out


def mean_and_deviation(weight):
    """Mean and population standard deviation of the sizes of what is not zero."""
    sizes = [abs(w) for w in weight if w != 0]
    mean = sum(sizes) / len(sizes)
    return mean, math.sqrt(sum((s - mean) ** 2 for s in sizes) / len(sizes))


def hard_concrete(u, log_alpha, beta=2 / 3, gamma=-0.1, zeta=1.1):
    """One gate of the hard concrete distribution: Louizos 2018, eq. (10) to (12)."""
    s = 1 / (1 + math.exp(-(math.log(u) - math.log(1 - u) + log_alpha) / beta))
    return min(1.0, max(0.0, s * (zeta - gamma) + gamma))


def may_be_open(log_alpha, beta=2 / 3, gamma=-0.1, zeta=1.1):
    """Probability that such a gate is not zero, eq. (12)."""
    return 1 / (1 + math.exp(-(log_alpha - beta * math.log(-gamma / zeta))))


def best_of_group(values, keep, group):
    """Indices of the `keep` largest sizes in every full group of a row."""
    stays = set(range(len(values) // group * group, len(values)))
    for start in range(0, len(values) // group * group, group):
        members = range(start, start + group)
        stays |= set(sorted(members, key=lambda i: (-abs(values[i]), -i))[:keep])
    return stays
