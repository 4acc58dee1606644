"""A tree of layers as a manifest and as named arrays, and back."""

from collections.abc import Mapping
from typing import Any

from minprune._check import AnyArray
from minprune.files import stored
from minprune.nn.layer import Layer, build


def join(layer: str, name: str) -> str:
    """Dotted name of something inside a layer; the root has no name of its own."""
    return f"{layer}.{name}" if layer else name


def describe(name: str, layer: Layer) -> dict[str, Any]:
    """One node of the manifest, and all below it."""
    return {
        "kind": layer.kind,
        "name": name,
        "args": layer.arguments(),
        "children": [describe(key, child) for key, child in layer.children.items()],
    }


def rebuild(node: Mapping[str, Any]) -> Layer:
    """The layer that `describe` described, without its arrays."""
    children = {child["name"]: rebuild(child) for child in node["children"]}
    if len(children) != len(node["children"]):
        raise ValueError(f"Network: two children of a {node['kind']} share a name")
    return build(node["kind"], node["args"], children)


def state(root: Layer) -> dict[str, AnyArray]:
    """Every array under its dotted name, weights in their stored form."""
    return {
        join(name, key): array
        for name, layer in root.walk()
        for key, array in layer.state().items()
    }


def restore(root: Layer, tensors: Mapping[str, AnyArray], others: set[str]) -> None:
    """Hand each layer its arrays; ValueError if one is missing, misfits or is left.

    `others` are names that belong to no layer and are passed over.
    """
    taken = set(others)
    for name, layer in root.walk():
        prefix = join(name, "")
        below = tuple(f"{prefix}{child}." for child in layer.children)
        mine = {
            key[len(prefix) :]: array
            for key, array in tensors.items()
            if key.startswith(prefix) and key not in taken and not key.startswith(below)
        }
        if layer.params or layer.buffers:
            try:
                layer.restore(mine)
            except ValueError as why:
                raise ValueError(f"layer {name or 'root'}: {why}") from None
            for key in (*layer.params, *layer.buffers):
                taken |= {prefix + name for name in stored.names(key, mine)}
    if left := sorted(set(tensors) - taken):
        raise ValueError(
            f"Network: {len(left)} tensors are read by no layer, the first is "
            f"{left[0]!r}; the manifest and the arrays are not of one network"
        )
