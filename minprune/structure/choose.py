"""Which units go: so many of them, or as many as a budget of something asks for.

A share of *units* is counted exactly, by clauses M.1 to M.5 of the specification. A
share of weights, bytes, multiply-adds or time can be met only as closely as whole units
allow: units go in the order of their scores, each with its real cost, found by taking
them out and counting, and the last one that goes is the last that does not overshoot.
"""

import fnmatch
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray, one_of, positive_int
from minprune.masks import Scope, select
from minprune.masks.count import Share, rounded, share
from minprune.metrics import count, medians
from minprune.nn.network import Network
from minprune.structure.groups import isomorphic
from minprune.structure.spaces import Spaces, spaces_of
from minprune.structure.surgery import remove

Cost = Callable[[Network], float]
"""What a network costs, in any unit."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The units that go, and how near that comes to what was asked for.

    Attributes
    ----------
    removal : dict of space name to ndarray of int
        For `remove` and `mask_units`.
    asked : float
        The share that was to go.
    reached : float
        The share that does.
    """

    removal: dict[str, IntArray]
    asked: float
    reached: float


def weights(net: Network) -> float:
    """Prunable weights that are kept."""
    return count(net).kept


def stored_bytes(net: Network) -> float:
    """Bytes of the arrays in a file, indices included."""
    return count(net).file_bytes


def multiply_adds(net: Network) -> float:
    """Multiply-adds executed on one sample."""
    return net.macs()


COSTS: dict[str, Cost] = {
    "weights": weights,
    "bytes": stored_bytes,
    "macs": multiply_adds,
}
"""By name, for command lines and plans."""


def latency(x: AnyArray, *, seconds: float = 0.2) -> Cost:
    """The cost in seconds: the median time of a network on this batch, measured here.

    A budget met by it holds as exactly as time can be measured twice.

    Parameters
    ----------
    x : ndarray
        Raw samples, batch first.
    seconds : float
        Spent on measuring each network that is tried.
    """
    return lambda net: medians({"net": lambda: net(x)}, seconds=seconds)["net"]


def choose(
    net: Network,
    scores: Mapping[str, FloatArray],
    sparsity: Share,
    *,
    cost: Cost | None = None,
    scope: Scope | str = "network",
    min_keep: int = 1,
    multiple_of: int = 1,
    exclude: Iterable[str] = (),
    spaces: Spaces | None = None,
) -> Choice:
    """The lowest units of a network, as many as a share of something asks for.

    Parameters
    ----------
    net : Network
        Only looked at.
    scores : dict of space name to ndarray of float, shape (units,)
        Higher is kept; see `score_units`. Spaces that are not named lose nothing and
        are not counted among the units.
    sparsity : share
        The share to remove, of what `cost` counts.
    cost : callable, optional
        From a network to a number: `weights`, `stored_bytes`, `multiply_adds`,
        ``latency(x)``, or your own. Left out, the units themselves are counted.
    scope : {"network", "layer", "isomorphic"} or dict of label to space names
        Which units compete: all, those of one space, or those of a group of spaces.
        Where there are several groups, all of them lose the same share of units.
    min_keep : int
        Units that stay in every space, 1 or more.
    multiple_of : int
        Let every space that loses units keep a multiple of so many channels, for
        machines that work on vectors of that width.
    exclude : iterable of str
        Layers, by name or pattern, whose channels all stay.
    spaces : Spaces, optional
        Those of `net`, if they are at hand.

    Returns
    -------
    choice : Choice

    Raises
    ------
    ValueError
        If an excluded layer is tied to one that is not; if a name is not known; if the
        number of units cannot be met.

    Notes
    -----
    For a share of units with `multiple_of` 1 the number is exact, or refused. Otherwise
    units are taken in steps, one unit or as many as lead to the next multiple, in the
    order of the highest score in each, until the next would remove more than was asked.

    Examples
    --------
    >>> from minprune import nn
    >>> root = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    >>> net = nn.Network(root, (4,), seed=0)
    >>> scores = {"0": np.array([3.0, 1.0, 2.0, 6.0, 5.0, 4.0])}
    >>> choose(net, scores, 0.5).removal
    {'0': array([0, 1, 2])}

    Six of 36 weights hang on each unit, so 30 % of them are met by one unit only.

    >>> choose(net, scores, 0.3, cost=weights)
    Choice(removal={'0': array([1])}, asked=0.3, reached=0.16666666666666666)
    """
    asked = share("choose", sparsity)
    floor = positive_int("choose", "min_keep", min_keep)
    multiple = positive_int("choose", "multiple_of", multiple_of)
    found = spaces_of("choose", net, spaces)
    for name, array in scores.items():
        space = found[one_of("choose", "space", name, found.free())]
        if array.shape != (len(space),):
            raise ValueError(
                f"choose: the scores of space {name!r} have shape {array.shape}; "
                f"expected ({len(space)},), one for each unit"
            )
    out = _excluded(found, exclude)
    rated = {name: array for name, array in scores.items() if name not in out}
    if not rated:
        raise ValueError("choose: no space is left to choose from; exclude less")
    groups = _competing(net, found, list(rated), scope)
    if cost is None and multiple == 1:
        masks = select(rated, sparsity=sparsity, scope=groups, min_keep=floor)
        removal = {name: np.flatnonzero(~mask) for name, mask in masks.items()}
        return _choice(removal, asked, rated)
    steps = _steps(found, rated, groups, floor, multiple)
    if cost is None:
        most = rounded(sum(map(len, rated.values())), sparsity, math.floor)
        removed = np.cumsum([len(indices) for _, indices in steps])
        taken = int(np.count_nonzero(removed <= most))
        return _choice(_gathered(steps[:taken]), asked, rated)
    return _within_budget(net, found, steps, cost, asked)


def _within_budget(
    net: Network,
    spaces: Spaces,
    steps: Sequence[tuple[str, IntArray]],
    cost: Cost,
    asked: Fraction,
) -> Choice:
    """The most steps whose real cost does not overshoot, by halving."""
    whole = Fraction(cost(net))
    if whole <= 0:
        raise ValueError(
            f"choose: the network costs {whole}; a share needs more than 0"
        )
    low, high, reached = 0, len(steps) + 1, Fraction(0)
    while high - low > 1:
        middle = (low + high) // 2
        smaller = remove(net, _gathered(steps[:middle]), spaces)
        gain = (whole - Fraction(cost(smaller))) / whole
        if gain <= asked:
            low, reached = middle, gain
        else:
            high = middle
    return Choice(_gathered(steps[:low]), float(asked), float(reached))


def _steps(
    spaces: Spaces,
    scores: Mapping[str, FloatArray],
    groups: Mapping[str, Sequence[str]],
    floor: int,
    multiple: int,
) -> list[tuple[str, IntArray]]:
    """What goes as one, in order: (space, units).

    Within a group by the highest score among them, between groups by the share that is
    gone, so that at any moment all groups have lost about the same.
    """
    ranked: list[tuple[float, str, IntArray]] = []
    for names in groups.values():
        pool: list[tuple[float, str, IntArray]] = []
        for name in names:
            order = np.argsort(scores[name], kind="stable")
            together = multiple // math.gcd(multiple, spaces[name].width)
            first = len(order) % together or together
            for end in range(first, len(order) - floor + 1, together):
                block = order[max(end - together, 0) : end]
                pool.append((float(scores[name][block[-1]]), name, block))
        pool.sort(key=lambda step: step[0])
        gone, size = 0, sum(len(scores[name]) for name in names)
        for _, name, lowest in pool:
            gone += len(lowest)
            ranked.append((gone / size, name, lowest))
    ranked.sort(key=lambda step: step[0])
    return [(name, lowest) for _, name, lowest in ranked]


def _gathered(steps: Sequence[tuple[str, IntArray]]) -> dict[str, IntArray]:
    """All units of some steps, by space."""
    parts: dict[str, list[IntArray]] = {}
    for name, block in steps:
        parts.setdefault(name, []).append(block)
    return {name: np.sort(np.concatenate(blocks)) for name, blocks in parts.items()}


def _choice(
    removal: Mapping[str, IntArray], asked: Fraction, rated: Mapping[str, FloatArray]
) -> Choice:
    """A choice that counts units."""
    gone = {name: indices for name, indices in removal.items() if len(indices)}
    units = sum(map(len, rated.values()))
    return Choice(gone, float(asked), sum(map(len, gone.values())) / max(units, 1))


def _competing(
    net: Network, spaces: Spaces, names: list[str], scope: Scope | str
) -> dict[str, list[str]]:
    """The spaces that compete with each other, by label."""
    if not isinstance(scope, str):
        for name in (name for of in scope.values() for name in of):
            one_of("choose", "space", name, spaces)
        groups = {label: [n for n in of if n in names] for label, of in scope.items()}
        for name in names:
            if sum(name in of for of in groups.values()) != 1:
                raise ValueError(
                    f"choose: space {name!r} is not in exactly one group of the scope"
                )
    elif (
        one_of("choose", "scope", scope, ("network", "layer", "isomorphic")) == "layer"
    ):
        groups = {name: [name] for name in names}
    elif scope == "network":
        groups = {scope: names}
    else:
        alike = isomorphic(net, spaces=spaces)
        groups = {label: [n for n in of if n in names] for label, of in alike.items()}
    return {label: of for label, of in groups.items() if of}


def _excluded(spaces: Spaces, exclude: Iterable[str]) -> set[str]:
    """The free spaces whose makers are excluded, all of them or none."""
    patterns = [exclude] if isinstance(exclude, str) else list(exclude)
    makers = {maker for space in spaces.values() for maker in space.makers}
    hit: set[str] = set()
    for pattern in patterns:
        if not any(sign in pattern for sign in "*?["):
            one_of("choose", "layer", pattern, makers)
        hit |= set(fnmatch.filter(makers, pattern))
    out = set()
    for name, space in spaces.free().items():
        inside = [maker for maker in space.makers if maker in hit]
        left = [maker for maker in space.makers if maker not in hit]
        if inside and left:
            raise ValueError(
                f"choose: {', '.join(inside)} is excluded, but its channels are tied "
                f"to those of {', '.join(left)} (space {name!r}); exclude all of these "
                f"layers or none"
            )
        if inside:
            out.add(name)
    return out
