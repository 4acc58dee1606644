"""Choosing, layer by layer, whether a pruned weight is held in rows, blocks or dense.

The cost model counts products and bytes, in units of a dense weight:

    time   a dense layer takes 1 for every weight, pruned or not; compressed rows take
           `ROWS` and blocks of four rows or more take `BLOCKS` for every stored weight
    bytes  a value takes its own size, an index four bytes, a row pointer four bytes

A sparse form is chosen if it takes less time and no more bytes than the dense one; of
several, the one that takes least time, then fewest bytes.

The two factors are medians at batch 128 over the sparsities where the choice lies, 20
to 70 %, with AVX2: single weights pay from 60 % on, blocks of eight from 30 %. With
AVX-512 they are about 1.7 and 1.0; the larger ones are taken, so that what is chosen
is not slower on either. ``minprune bench sparse --only break_even`` prints what they
are on the machine at hand.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from minprune._check import BoolArray
from minprune.nn.conv import Conv1d, Conv2d
from minprune.nn.layer import Layer
from minprune.nn.linear import Linear
from minprune.nn.network import Network
from minprune.sparse.base import Block, SparseLayer, pattern_of
from minprune.sparse.layers import SparseConv1d, SparseConv2d, SparseLinear

ROWS, BLOCKS = 2.5, 1.4

SPARSE: dict[type[Layer], Callable[..., SparseLayer]] = {
    Linear: SparseLinear.from_dense,
    Conv1d: SparseConv1d.from_dense,
    Conv2d: SparseConv2d.from_dense,
}

SHAPES: tuple[Block, ...] = ((16, 1), (8, 1), (4, 1), (4, 4), (2, 1), (1, 4))
"""Blocks that are looked for in a mask."""


class Choice(NamedTuple):
    """A form for one weight, with its cost relative to the dense one."""

    format: str
    block: Block | None
    time: float
    bytes: float
    reason: str


def choose(
    mask: BoolArray, blocks: Iterable[Block] = SHAPES, itemsize: int = 4
) -> Choice:
    """The cheapest form for a weight with this mask, by the model above.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
        True where kept.
    blocks : iterable of tuple of int
        Block shapes to consider; a shape competes only if the mask consists of such
        blocks.
    itemsize : int
        Bytes of a value.

    Examples
    --------
    >>> diagonal = np.eye(64, dtype=bool)
    >>> choose(diagonal).reason
    'csr: 1.6 % of 4096 weights kept take 0.04 of the time and 0.05 of the bytes'
    >>> choose(~diagonal).reason
    'dense: 98.4 % of 4096 weights are kept; csr would take 2.46 of the time and 1.98 of
    the bytes'
    >>> choose(np.repeat(diagonal, 8, axis=0)).format
    'bsr'
    """
    size = max(mask.size, 1)
    kept = f"{100 * mask.sum() / size:.1f} % of {mask.size} weights"
    forms = []
    for block in (None, *blocks):
        try:
            pattern = pattern_of(mask, block)
        except ValueError:  # a block is kept in part
            continue
        factor = BLOCKS if block is not None and block[0] >= 4 else ROWS
        values = int(np.prod(pattern.values_shape))
        forms.append(
            Choice(
                pattern.format,
                block,
                factor * values / size,
                (values * itemsize + pattern.nbytes) / (size * itemsize),
                "",
            )
        )
    best = min(forms, key=lambda form: (form.time, form.bytes))
    name = best.format if best.block is None else f"bsr {best.block[0]}x{best.block[1]}"
    costs = f"{best.time:.2f} of the time and {best.bytes:.2f} of the bytes"
    if best.time < 1 and best.bytes <= 1:
        return best._replace(reason=f"{name}: {kept} kept take {costs}")
    reason = f"dense: {kept} are kept; {name} would take {costs}"
    return Choice("dense", None, 1.0, 1.0, reason)


def compress(net: Network, blocks: Iterable[Block] = SHAPES) -> Network:
    """The same network with every pruned layer in the form that costs least.

    Parameters
    ----------
    net : Network
        Its masks say what is pruned; it is not changed.
    blocks : iterable of tuple of int
        Block shapes to consider; none at all leaves compressed rows and dense.

    Returns
    -------
    net : Network
        Computes the same function up to rounding. Layers that are left as they were are
        copied. `explain` says why each has the form it has.

    Notes
    -----
    Only linear and convolution layers have a sparse form; a layer without a mask, or
    with one that keeps nearly everything, stays dense.

    Examples
    --------
    >>> from minprune import nn
    >>> net = nn.Network(nn.Sequential(nn.Linear(64, 32)), (64,), seed=0)
    >>> net.set_masks({"0.weight": np.eye(32, 64, dtype=bool)})
    >>> explain(compress(net))
    {'0': 'csr: 1.6 % of 2048 weights kept take 0.04 of the time and 0.05 of the bytes'}
    """
    shapes = tuple(blocks)
    return Network(
        _compressed(net.root, shapes),
        net.input_shape,
        classes=net.classes,
        scale=net.scale.copy(),
        offset=net.offset.copy(),
    )


def explain(net: Network) -> dict[str, str]:
    """Why each layer with prunable weights has the form it has, by dotted name."""
    return {name: _reason(layer) for name, layer in net.root.walk() if layer.prunable}


def _compressed(layer: Layer, blocks: tuple[Block, ...]) -> Layer:
    """A copy of the layer, and of all below it, in the form that costs least."""
    sparse = SPARSE.get(type(layer))
    if sparse is not None and "weight" in layer.masks:
        best = _choose(layer, blocks)
        if best.format != "dense":
            small = sparse(layer, best.format, best.block)
            small.reason = best.reason
            return small
    other = layer.clone()
    other.children = {
        name: _compressed(child, blocks) for name, child in layer.children.items()
    }
    return other


def _choose(layer: Layer, blocks: tuple[Block, ...] = SHAPES) -> Choice:
    mask = layer.masks["weight"]
    itemsize = layer.params["weight"].itemsize
    return choose(mask.reshape(len(mask), -1), blocks, itemsize)


def _reason(layer: Layer) -> str:
    if isinstance(layer, SparseLayer):
        return layer.reason or f"{layer.pattern.format}: built so"
    if type(layer) not in SPARSE:
        return f"dense: {layer.kind} has no sparse form"
    if "weight" not in layer.masks:
        return "dense: nothing is pruned"
    return _choose(layer).reason
