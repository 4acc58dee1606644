"""Units and spaces: channels that go together, and units that are alike.

A *unit* is what can be taken out by itself: a channel with all that is tied to it, its
rows, its columns, its scales and shifts. A *space* holds the units that the same layers
make, in order, so that they can be compared. `find_spaces` reads both off the numbers
of `minprune.structure.numbering`. Input and output of a network are spaces too, but
held: their channels are the network's promise to the outside.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from minprune._check import AnyArray, BoolArray, IntArray, one_of
from minprune.nn.network import Network
from minprune.structure.numbering import Axis, Ledger, Size, number

INPUT = "input"

Removal = Mapping[str, Any]
"""By space, the indices of the units that go."""


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Units that the same layers make.

    Attributes
    ----------
    name : str
        The first of the makers; of two spaces with the same one, the second has "/2"
        behind it.
    makers : tuple of str
        The layers that make these channels.
    units : ndarray of int
        The network-wide number of each unit.
    width : int
        Channels of the first maker in a unit: more than one where groups tie them.
    held : str
        Why nothing of it can go; empty if it can.
    axes : tuple of Axis
        Every array axis that holds something of these units.
    """

    name: str
    makers: tuple[str, ...]
    units: IntArray
    width: int
    held: str
    axes: tuple[Axis, ...]

    def __len__(self) -> int:
        """Number of units."""
        return len(self.units)

    def places(self, axis: Axis) -> IntArray:
        """For each entry of an axis the index of its unit here, -1 where of another."""
        order = np.argsort(self.units)
        at = np.searchsorted(self.units, axis.numbers, sorter=order)
        index = order[np.minimum(at, len(order) - 1)]
        return np.where(self.units[index] == axis.numbers, index, -1)


@dataclass(frozen=True, slots=True, eq=False)
class Spaces(Mapping[str, Space]):
    """The spaces of a network by name, in the order in which they are made."""

    spaces: dict[str, Space]
    axes: tuple[Axis, ...]
    sizes: tuple[Size, ...]
    units: int
    manifest: dict[str, Any] = field(repr=False)

    def __getitem__(self, name: str) -> Space:
        return self.spaces[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.spaces)

    def __len__(self) -> int:
        return len(self.spaces)

    def free(self) -> dict[str, Space]:
        """Those that something can be taken out of."""
        return {name: space for name, space in self.items() if not space.held}

    def gone(self, caller: str, removal: Removal) -> BoolArray:
        """For every unit of the network, whether it goes.

        Raises
        ------
        ValueError
            If there is no such space or it is held, or if indices are out of range,
            repeated, or all there are.
        """
        gone = np.zeros(self.units, np.bool_)
        for name, indices in removal.items():
            space = self[one_of(caller, "space", name, self)]
            index = _indices(caller, space, indices)
            if len(index) and space.held:
                raise ValueError(
                    f"{caller}: nothing of {_called(space)} can go: {space.held}"
                )
            if len(index) == len(space) and len(space):
                raise ValueError(
                    f"{caller}: all {len(space)} units of {_called(space)} were to go; "
                    f"expected one at least to stay, or the network would be cut in two"
                )
            gone[space.units[index]] = True
        return gone


def find_spaces(net: Network) -> Spaces:
    """What of a network must go together.

    Parameters
    ----------
    net : Network
        Of the layers of `minprune.nn`, sparse ones too. It is only looked at.

    Returns
    -------
    spaces : Spaces
        Mapping from names to `Space`.

    Raises
    ------
    ValueError
        If the network has a layer of a kind that no rule covers.

    Notes
    -----
    Numbers are given and tied in one pass, in linear time; units are the connected
    components of the ties.

    Examples
    --------
    A shortcut ties what it joins; inside the block, channels are free.

    >>> from minprune import nn
    >>> block = nn.Residual(nn.Sequential(nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 8)))
    >>> root = nn.Sequential(nn.Linear(3, 8), block, nn.Linear(8, 2))
    >>> for space in find_spaces(nn.Network(root, (3,))).values():
    ...     print(space.name, len(space), space.makers, space.held)
    input 3 ('input',) it is the network's input
    0 8 ('0', '1.body.2')
    1.body.0 5 ('1.body.0',)
    2 2 ('2',) it is the network's output
    """
    ledger = Ledger()
    first = ledger.make(INPUT, net.input_shape[0])
    ledger.hold(first, "it is the network's input")
    last = number(net.root, "", first, net.input_shape, ledger)
    ledger.hold(last, "it is the network's output")

    unit_of = _units(ledger)
    count = int(unit_of.max(initial=-1)) + 1
    axes = tuple(
        Axis(a.layer, a.array, a.axis, a.role, unit_of[a.numbers]) for a in ledger.axes
    )
    sizes = tuple(Size(s.layer, s.argument, unit_of[s.numbers]) for s in ledger.sizes)
    spaces = _spaces(ledger, unit_of, axes)
    return Spaces(spaces, axes, sizes, count, net.manifest())


def spaces_of(caller: str, net: Network, spaces: Spaces | None) -> Spaces:
    """The given spaces if they are still those of the network; found, if none are."""
    if spaces is None:
        return find_spaces(net)
    now, then = _layers(net.manifest()), _layers(spaces.manifest)
    for name in [*now, *then]:
        if now.get(name) != then.get(name):
            raise ValueError(
                f"{caller}: layer {name or 'root'} is {now.get(name, 'gone')} but was "
                f"{then.get(name, 'not there')} when the spaces were found; find them "
                f"again, the network has changed"
            )
    return spaces


def _units(ledger: Ledger) -> IntArray:
    """For every number its unit; units are counted in the order they are made."""
    channels = len(ledger.makers)
    none = np.empty(0, np.intp)
    these = np.concatenate([none, *(a for a, _ in ledger.ties)])
    those = np.concatenate([none, *(b for _, b in ledger.ties)])
    graph = coo_array(
        (np.ones(len(these), np.int8), (these, those)), (channels, channels)
    )
    _, label = connected_components(graph, directed=False)
    _, first, unit = np.unique(label, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    counted: IntArray = rank[unit]
    return counted


def _spaces(
    ledger: Ledger, unit_of: IntArray, axes: tuple[Axis, ...]
) -> dict[str, Space]:
    """Units gathered by who makes them, and how many channels each."""
    made_by: dict[int, list[str]] = {}
    held: dict[int, str] = {}
    for channel, unit in enumerate(unit_of.tolist()):
        made_by.setdefault(unit, []).append(ledger.makers[channel])
        if channel in ledger.held:
            held.setdefault(unit, ledger.held[channel])
    alike: dict[tuple[Any, ...], list[int]] = {}
    for unit, makers in made_by.items():
        alike.setdefault((*makers, held.get(unit, "")), []).append(unit)

    space_of = np.empty(len(made_by), np.intp)
    for index, units in enumerate(alike.values()):
        space_of[units] = index
    members: list[list[Axis]] = [[] for _ in alike]
    for axis in axes:
        for index in np.unique(space_of[axis.numbers]):
            members[index].append(axis)

    spaces: dict[str, Space] = {}
    for ((*makers, why), units), mine in zip(alike.items(), members, strict=True):
        name = _free_name(makers[0] or "root", spaces)
        once = tuple(dict.fromkeys(makers))
        width = makers.count(makers[0])
        spaces[name] = Space(name, once, np.array(units), width, why, tuple(mine))
    return spaces


def _free_name(maker: str, taken: Mapping[str, Space]) -> str:
    """The maker's name, numbered from the second space on."""
    name, count = maker, 1
    while name in taken:
        count += 1
        name = f"{maker}/{count}"
    return name


def _indices(caller: str, space: Space, given: AnyArray) -> IntArray:
    """The indices as an array, if they are whole, in range and different."""
    index = np.asarray(given)
    if index.size == 0:
        return np.empty(0, np.intp)
    if index.dtype.kind not in "iu" or index.ndim != 1:
        raise TypeError(
            f"{caller}: the units of {_called(space)} came as an array of type "
            f"{index.dtype} and shape {index.shape}; expected a list of indices"
        )
    wrong = index[(index < 0) | (index >= len(space))]
    if wrong.size:
        raise ValueError(
            f"{caller}: there is no unit {wrong[0]} in {_called(space)}; expected 0 to "
            f"{len(space) - 1}"
        )
    values, counts = np.unique(index, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"{caller}: unit {values[counts > 1][0]} of {_called(space)} is named "
            f"twice; expected every unit once"
        )
    return index


def _called(space: Space) -> str:
    """A space with the layers behind it, for messages."""
    return f"space {space.name!r} (made by {', '.join(space.makers)})"


def _layers(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Every layer of a manifest by dotted name: its kind and arguments in words."""
    found = {"input": str(manifest["input_shape"])}

    def visit(node: Mapping[str, Any], name: str) -> None:
        found[name] = f"{node['kind']} {node['args']}"
        for child in node["children"]:
            visit(child, f"{name}.{child['name']}" if name else child["name"])

    visit(manifest["root"], "")
    return found
