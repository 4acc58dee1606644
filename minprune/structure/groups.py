"""One score for every unit, from the scores of its members.

A unit has members in several arrays: rows of the layers that make it, columns of those
that read it, the scales of its batch norms. Any criterion that scores weights, filters
or channels gives each of them an importance (`member_scores`); a *reduction* makes one
number of these, and a *normalization* makes the numbers of different spaces comparable.
Both are plain functions; those of `minprune.criteria.group` will do, and any other.

    Li 2017, FPGM, HRank, ...   filter scores, of what makes the unit: ("makes",)
    ThiNet                      channel scores, of what reads it: ("reads",)
    slimming                    filter scores, by the scale of each filter's norm
    DepGraph                    `coupled_norms`, which are squares of all members
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from minprune._check import FloatArray, finite, one_of
from minprune.criteria.group import reduce_mean
from minprune.nn.network import Network
from minprune.structure.numbering import Axis, Role
from minprune.structure.spaces import Space, Spaces, spaces_of

Reduction = Callable[[FloatArray], FloatArray]
"""From (members, units) to (units,)."""
Normalization = Callable[[FloatArray], FloatArray]
"""From (units,) to (units,)."""

ALL: tuple[Role, ...] = ("makes", "scales", "reads")


def member_scores(
    net: Network,
    scores: Mapping[str, FloatArray],
    *,
    sides: Sequence[Role] = ("makes",),
    spaces: Spaces | None = None,
) -> dict[str, FloatArray]:
    """What each member of each unit is worth.

    Parameters
    ----------
    net : Network
        Only looked at.
    scores : dict of parameter name to ndarray of float
        Of the parameter's shape; or one number for each row (sides "makes" and
        "scales") or column (side "reads"); or one for each unit along them, such as
        the hidden units of a recurrent layer, which have a row in every gate. Higher is
        kept.
    sides : sequence of {"makes", "scales", "reads"}
        Which members count.
    spaces : Spaces, optional
        Those of `net`, if they are at hand.

    Returns
    -------
    members : dict of space name to ndarray of float64, shape (members, units)
        The sum over a member's own entries; zero where a member lacks a unit. Held
        spaces, and those without a scored member, are left out.

    Raises
    ------
    ValueError
        If a score is not finite or of the wrong shape, or a parameter or side is not
        known.

    Examples
    --------
    >>> from minprune import nn
    >>> root = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> net = nn.Network(root, (2,))
    >>> scores = {"0.weight": np.array([[1.0, 2], [3, 4]]), "2.weight": np.ones((1, 2))}
    >>> member_scores(net, scores, sides=("makes", "reads"))["0"]
    array([[3., 7.],
           [1., 1.]])
    """
    for side in sides:
        one_of("member_scores", "side", side, ALL)
    finite("member_scores", **scores)
    found = spaces_of("member_scores", net, spaces)
    shapes = {name: array.shape for name, array in net.parameters().items()}
    shapes |= {name: weight.shape for name, weight in net.weights().items()}
    for name in scores:
        one_of("member_scores", "parameter", name, shapes)
    rows: dict[str, FloatArray] = {}
    for name, space in found.free().items():
        members = [
            _of_units(space, axis, _along(axis, scores[axis.name], shapes[axis.name]))
            for axis in space.axes
            if axis.role in sides and axis.name in scores
        ]
        if members:
            rows[name] = np.stack(members)
    return rows


def score_units(
    net: Network,
    scores: Mapping[str, FloatArray],
    *,
    sides: Sequence[Role] = ("makes",),
    reduce: Reduction = reduce_mean,
    normalize: Normalization | None = None,
    spaces: Spaces | None = None,
) -> dict[str, FloatArray]:
    """How much each unit matters, by space.

    Parameters
    ----------
    net, scores, sides, spaces
        As in `member_scores`.
    reduce : callable
        From (members, units) to (units,): one score from those of the members.
    normalize : callable, optional
        From (units,) to (units,): within each space, so that spaces can be compared.

    Returns
    -------
    scores : dict of space name to ndarray of float64, shape (units,)
        Higher is kept.

    Examples
    --------
    >>> from minprune import nn
    >>> root = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> net = nn.Network(root, (2,), seed=0)
    >>> net.parameters()["0.weight"][:] = [[1, -2], [0, 1]]
    >>> score_units(net, {"0.weight": np.abs(net.weights()["0.weight"])})
    {'0': array([3., 1.])}
    """
    members = member_scores(net, scores, sides=sides, spaces=spaces)
    return {
        name: reduce(rows) if normalize is None else normalize(reduce(rows))
        for name, rows in members.items()
    }


def coupled_norms(
    net: Network, *, spaces: Spaces | None = None
) -> dict[str, FloatArray]:
    """Squared lengths of all that goes with a unit: the evidence of `group_magnitude`.

    Members are rows, columns and the scales of batch norms; biases and shifts are not.

    Examples
    --------
    >>> from minprune import nn
    >>> from minprune.criteria.group import group_magnitude
    >>> root = nn.Sequential(nn.Linear(1, 2), nn.BatchNorm(2), nn.Linear(2, 1))
    >>> net = nn.Network(root, (1,), seed=0)
    >>> net.parameters()["0.weight"][:] = [[1], [2]]
    >>> net.parameters()["2.weight"][:] = [[3, 0]]
    >>> coupled_norms(net)["0"]
    array([[1., 4.],
           [1., 1.],
           [9., 0.]])
    >>> group_magnitude(coupled_norms(net)["0"]).round(3)
    array([1.375, 0.625])
    """
    found = spaces_of("coupled_norms", net, spaces)
    scales = {axis.name for axis in found.axes if axis.role == "scales"}
    lengths = {
        name: np.square(array.astype(np.float64))
        for name, array in net.parameters().items()
        if array.ndim > 1 or (name in scales and name.endswith("weight"))
    }
    lengths |= {
        name: np.square(weight.astype(np.float64))
        for name, weight in net.weights().items()
    }
    return member_scores(net, lengths, sides=ALL, spaces=found)


def isomorphic(net: Network, *, spaces: Spaces | None = None) -> dict[str, list[str]]:
    """Free spaces gathered by what hangs on them: the same kinds of layers, in order.

    Scores are compared within such a group and not between a stem and a block.

    Returns
    -------
    groups : dict of label to list of space names
        For the `scope` of `choose`; the label is the first space's name.

    References
    ----------
    .. [1] G. Fang, X. Ma, M. Bi Mi and X. Wang, "Isomorphic pruning for vision models",
       ECCV 2024, Sec. 3.2. arXiv:2407.04616

    Examples
    --------
    >>> from minprune import nn
    >>> wide = [nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU()]
    >>> root = nn.Sequential(*wide, nn.Linear(4, 4), nn.BatchNorm(4), nn.Linear(4, 1))
    >>> isomorphic(nn.Network(root, (4,)))
    {'0': ['0', '2'], '4': ['4']}
    """
    found = spaces_of("isomorphic", net, spaces)
    kinds = {name: layer.kind for name, layer in net.layers().items()}
    alike: dict[tuple[tuple[str, str, str], ...], list[str]] = {}
    for name, space in found.free().items():
        signature = tuple((kinds[a.layer], a.array, a.role) for a in space.axes)
        alike.setdefault(signature, []).append(name)
    return {names[0]: names for names in alike.values()}


def _along(axis: Axis, scores: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """One score for each entry of an axis, adding up to those of its units."""
    scores = np.asarray(scores, np.float64)
    if scores.shape == shape:
        others = tuple(i for i in range(scores.ndim) if i != axis.axis)
        summed: FloatArray = scores.sum(axis=others)
        return summed
    if scores.shape == axis.numbers.shape:
        return scores
    first = np.sort(np.unique(axis.numbers, return_index=True)[1])
    if scores.shape == first.shape:
        at_first = np.zeros(axis.numbers.shape)
        at_first[first] = scores
        return at_first
    raise ValueError(
        f"member_scores: the scores of {axis.name} have shape {scores.shape}; expected "
        f"{shape}, or {axis.numbers.shape} for what {axis.role} channels"
    )


def _of_units(space: Space, axis: Axis, scores: FloatArray) -> FloatArray:
    """The sum over the entries of each unit."""
    at = space.places(axis)
    total = np.bincount(at[at >= 0], scores[at >= 0], minlength=len(space))
    return total.astype(np.float64)
