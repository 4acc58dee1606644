"""minprune structure: which channels of a saved network go together."""

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minprune.structure import Axis, Space

SUMMARY = "Show which channels of a saved network must go together, and what with."
EXAMPLE = "minprune structure dense.safetensors"


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("file", metavar="NET", help="a file written by minprune")


def run(args: argparse.Namespace) -> int:
    """A small tree for each space: its units, and the arrays that hold them."""
    from minprune import structure
    from minprune.cli._show import as_json
    from minprune.store import load_network

    spaces = structure.find_spaces(load_network(args.file))
    if args.json:
        found = [_as_values(space) for space in spaces.values()]
        as_json({"file": args.file, "spaces": found})
        return 0
    free = list(spaces.free().values())
    print(f"{len(free)} spaces, {sum(map(len, free))} units that can go, one by one")
    for space in free:
        print(_tree(space))
    for space in spaces.values():
        if space.held:
            print(f"{space.name}: {_units(space)} that cannot go: {space.held}")
    return 0


def _tree(space: "Space") -> str:
    """The space, and below it the layers that make, scale and read its units."""
    tied = f" of {space.width} channels each" if space.width > 1 else ""
    lines = [f"{space.name}: {_units(space)}{tied}"]
    for role in ("makes", "scales", "reads"):
        arrays: dict[tuple[str, str], list[str]] = {}
        for axis in space.axes:
            if axis.role == role:
                place = (axis.layer, _entries(space, axis))
                arrays.setdefault(place, []).append(axis.array)
        for index, ((layer, entries), names) in enumerate(arrays.items()):
            head = role if index == 0 else ""
            lines.append(f"  {head:<7}{layer}: {entries} of {', '.join(names)}")
    return "\n".join(lines)


def _entries(space: "Space", axis: "Axis") -> str:
    """What of an array goes with a unit: so many rows, or columns."""
    each = int((space.places(axis) >= 0).sum()) // len(space)
    what = "column" if axis.axis else "row"
    return f"{each} {what}{'s' if each != 1 else ''}"


def _units(space: "Space") -> str:
    """How many there are."""
    return f"{len(space)} unit{'s' if len(space) != 1 else ''}"


def _as_values(space: "Space") -> dict[str, Any]:
    """The space in JSON's own types."""
    return {
        "name": space.name,
        "units": len(space),
        "channels_per_unit": space.width,
        "makers": list(space.makers),
        "held": space.held,
        "members": [
            {"array": axis.name, "axis": axis.axis, "role": axis.role}
            for axis in space.axes
        ],
    }
