"""Taking units out: for good (`remove`), or out of sight (`mask_units`).

Both make a new network and leave the one they are given as it was. A unit that goes is
zero *behind* its batch norm and activation: whoever reads it reads zero. That is what
makes the two agree whatever the padding: a border of zeros around a plane of zeros is a
plane of zeros.

    remove      a smaller network of ordinary layers
    mask_units  a network of the same shapes: what makes the units is zero, and so is
                what reads them
    shrink      `remove` of all units that the masks of a network have emptied
"""

import numpy as np

from minprune._check import AnyArray, BoolArray, IntArray
from minprune.nn.layer import Layer, build
from minprune.nn.network import Network
from minprune.structure.spaces import Removal, Space, Spaces, spaces_of


def remove(net: Network, removal: Removal, spaces: Spaces | None = None) -> Network:
    """The network without some of its units, its arrays smaller by as much.

    Parameters
    ----------
    net : Network
        Left as it is. Sparse layers come back dense, with their masks.
    removal : dict of space name to indices
        The units that go, by their place in the space; see `find_spaces`. Spaces that
        are not named stay whole.
    spaces : Spaces, optional
        Those of `net`, if they are at hand.

    Returns
    -------
    smaller : Network
        Of ordinary layers; it shares no array with `net`.

    Raises
    ------
    ValueError
        If there is no such space, or its units may not go (input, output, layers
        normalized together); if indices are out of range, repeated, or all there are;
        if the network has changed since its spaces were found.

    See Also
    --------
    mask_units : The same function in the old shapes.

    Examples
    --------
    >>> from minprune import nn
    >>> root = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> net = nn.Network(root, (4,), seed=0)
    >>> {name: w.shape for name, w in remove(net, {"0": [1]}).weights().items()}
    {'0.weight': (2, 4), '2.weight': (2, 2)}
    """
    found = spaces_of("remove", net, spaces)
    gone = found.gone("remove", removal)
    arguments: dict[str, dict[str, int]] = {}
    for size in found.sizes:
        left = int(np.count_nonzero(~gone[size.numbers]))
        arguments.setdefault(size.layer, {})[size.argument] = left
    cuts: dict[str, dict[str, list[tuple[int, IntArray]]]] = {}
    for axis in found.axes:
        stays = np.flatnonzero(~gone[axis.numbers])
        of_layer = cuts.setdefault(axis.layer, {})
        of_layer.setdefault(axis.array, []).append((axis.axis, stays))

    def smaller(name: str, layer: Layer) -> Layer:
        dense = layer.to_dense()
        children = {
            key: smaller(f"{name}.{key}" if name else key, child)
            for key, child in layer.children.items()
        }
        told = dense.arguments() | arguments.get(name, {})
        new = build(dense.kind, told, children)
        at = cuts.get(name, {})
        new.params = {key: _cut(a, at.get(key, [])) for key, a in dense.params.items()}
        new.buffers = {
            key: _cut(a, at.get(key, [])) for key, a in dense.buffers.items()
        }
        new.masks = {key: _cut(a, at.get(key, [])) for key, a in dense.masks.items()}
        return new

    return net.with_root(smaller("", net.root))


def mask_units(net: Network, removal: Removal, spaces: Spaces | None = None) -> Network:
    """The network in its old shapes, in which some units are zero to all who read them.

    Parameters
    ----------
    net, removal, spaces
        As in `remove`.

    Returns
    -------
    masked : Network
        Of dense layers. Weights that make or read the units are masked; biases, scales
        and shifts of the units are zero.

    Raises
    ------
    ValueError
        As in `remove`.

    Notes
    -----
    Rows, biases and scales alone would do for activations with f(0) = 0; a sigmoid
    makes one half of nothing, so the readers' columns are zero too. Since nobody reads
    these units, no gradient reaches them, and the masked network stays equal to the
    smaller one while both are trained.

    Examples
    --------
    >>> from minprune import nn
    >>> root = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 2))
    >>> net = nn.Network(root, (4,), seed=0)
    >>> masked, x = mask_units(net, {"0": [1]}), np.ones((1, 4), np.float32)
    >>> masked.weights()["2.weight"][:, 1]
    array([0., 0.], dtype=float32)
    >>> bool(np.allclose(masked(x), remove(net, {"0": [1]})(x)))
    True
    """
    found = spaces_of("mask_units", net, spaces)
    gone = found.gone("mask_units", removal)
    masked = remove(net, {}, found)
    layers = masked.layers()
    for axis in found.axes:
        out = gone[axis.numbers]
        layer = layers[axis.layer]
        if out.any() and axis.array not in layer.buffers:
            along = (slice(None),) * axis.axis + (out,)
            layer.params[axis.array][along] = 0
            if axis.array in layer.prunable:
                weight = layer.params[axis.array]
                kept = layer.masks.setdefault(axis.array, np.ones(weight.shape, bool))
                kept[along] = False
    return masked


def emptied(net: Network, spaces: Spaces | None = None) -> dict[str, IntArray]:
    """The units that the masks of a network leave nothing of.

    A unit is empty if all weights that make it are masked, or if all weights that read
    it are zero. One that is left in a single layer of several that are tied is not.

    Returns
    -------
    removal : dict of space name to ndarray of int
        For `remove`; spaces without empty units are not named, nor are held ones.

    Raises
    ------
    ValueError
        If all units of a space are empty, so that the network is cut in two there.
    """
    found = spaces_of("emptied", net, spaces)
    whole = {name: a != 0 for name, a in net.parameters().items() if a.ndim > 1}
    kept = {name: np.ones_like(a) for name, a in whole.items()} | net.masks()
    used = whole | {name: weight != 0 for name, weight in net.weights().items()}
    removal: dict[str, IntArray] = {}
    for name, space in found.free().items():
        unmade = _without(space, "makes", kept)
        unread = _without(space, "reads", used)
        empty = np.flatnonzero(unmade | unread)
        if len(empty) == len(space):
            raise ValueError(
                f"emptied: the masks empty space {name!r} (made by "
                f"{', '.join(space.makers)}), so that nothing gets through; prune less "
                f"there, with min_keep=1"
            )
        if len(empty):
            removal[name] = empty
    return removal


def shrink(net: Network, spaces: Spaces | None = None) -> Network:
    """The smaller network that a network with masked units stands for.

    Parameters
    ----------
    net : Network
        Left as it is.
    spaces : Spaces, optional
        Those of `net`, if they are at hand.

    Returns
    -------
    smaller : Network
        Without the units that are `emptied`. Masks of weights in units that stay are
        kept.

    Raises
    ------
    ValueError
        If all units of a space are empty.

    Notes
    -----
    A network made by `mask_units` keeps its function exactly. Where a mask drops the
    rows of a filter and nothing else, the filter still emits a constant, its bias or
    its batch norm's shift; it counts as zero here, and that changes the function until
    the network has recovered. `fold_constants` keeps it.

    Examples
    --------
    >>> from minprune import nn
    >>> root = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> net = nn.Network(root, (4,), seed=0)
    >>> net.set_masks({"0.weight": np.array([[True], [False], [True]]).repeat(4, 1)})
    >>> shrink(net).weights()["0.weight"].shape
    (2, 4)
    """
    found = spaces_of("shrink", net, spaces)
    return remove(net, emptied(net, found), found)


def _cut(array: AnyArray, cuts: list[tuple[int, IntArray]]) -> AnyArray:
    """The entries that stay along each of these axes; always a copy."""
    array = array.copy()
    for axis, stays in cuts:
        array = array.take(stays, axis)
    return array


def _without(space: Space, role: str, held: dict[str, BoolArray]) -> BoolArray:
    """The units for which nothing is held in the weights of this role."""
    live = np.zeros(len(space), np.bool_)
    for axis in space.axes:
        if axis.role == role and axis.name in held:
            others = tuple(i for i in range(held[axis.name].ndim) if i != axis.axis)
            at = space.places(axis)
            live[at[(at >= 0) & held[axis.name].any(axis=others)]] = True
    return ~live
