"""Networks as they are written down, for adapters: names of arrays, repeated layers.

`minprune.conformance.definition.networks` says what they look like. Whoever reads them
names arrays as PyTorch does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Net = Any
NAMES = {
    "conv": {"weight": "weight", "bias": "bias"},
    "linear": {"weight": "weight", "bias": "bias"},
    "batch_norm": {
        "weight": "scale",
        "bias": "shift",
        "running_mean": "mean",
        "running_var": "variance",
    },
}
"""For each kind of layer, what its arrays are called there and here."""


def leaves(net: Net) -> Iterator[Net]:
    """The layers, in order, each as often as it is used."""
    if "children" not in net:
        yield net
        return
    for child in net["children"]:
        yield from leaves(child)


def arrays(leaf: Net) -> dict[str, Any]:
    """The arrays of a layer, named as in PyTorch."""
    names = NAMES.get(leaf["kind"], {})
    return {
        theirs: leaf[ours]
        for theirs, ours in names.items()
        if leaf.get(ours) is not None
    }


def rewritten(net: Net, found: dict[str, dict[str, Any]]) -> Net:
    """The network with other arrays, given by layer and by PyTorch's names.

    Where a convolution had a group for each output, it has one for each that is left.
    """
    if "children" in net:
        children = [rewritten(child, found) for child in net["children"]]
        return dict(net, children=children)
    names = NAMES.get(net["kind"], {})
    given = found.get(net["name"], {})
    leaf = dict(net, **{names[name]: array for name, array in given.items()})
    if net.get("groups", 1) == len(net.get("weight", ())) > 1:
        leaf["groups"] = len(leaf["weight"])
    return leaf
