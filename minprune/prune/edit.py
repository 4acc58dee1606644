"""Changing the masks of a network that is being trained.

The optimizer remembers something of every weight. When a weight goes, what was
remembered of it goes too, so that a weight which comes back begins with nothing. In a
sparse layer the array of values itself changes its length, and what is remembered
moves along with it.
"""

from collections.abc import Mapping

import numpy as np

from minprune._check import BoolArray, FloatArray, IntArray
from minprune.nn.layer import Layer
from minprune.nn.network import Network
from minprune.nn.optim import Optimizer
from minprune.sparse.base import SparseLayer
from minprune.sparse.csr import row_of_each
from minprune.sparse.products import Pattern


def set_masks(
    net: Network, masks: Mapping[str, BoolArray], optimizer: Optimizer | None = None
) -> None:
    """Prune to these masks, in place; what has come back is zero and not remembered.

    Parameters
    ----------
    net : Network
        Dense layers get the masks, sparse layers the patterns.
    masks : dict of weight name to ndarray of bool
        True where kept, in the logical shape of the weight.
    optimizer : Optimizer, optional
        Follows: its arrays for these weights are zero where nothing is kept, and are as
        long as what is stored.

    Raises
    ------
    ValueError
        If a name or a shape does not fit.
    """
    for name, mask in masks.items():
        layer, key = net.owner("set_masks", name)
        if not isinstance(layer, SparseLayer):
            layer.set_mask(key, mask)
            if optimizer is not None:
                for slot in optimizer.slots.get(name, {}).values():
                    slot[~mask] = 0
            continue
        before = layer.pattern
        layer.set_mask(key, mask)
        if optimizer is not None:
            places = moves(before, layer.pattern)
            optimizer.remap(name, places, len(layer.pattern.indices))


def as_held(layer: Layer, array: FloatArray) -> FloatArray:
    """An array over a weight, in the form in which the layer holds the weight."""
    if not isinstance(layer, SparseLayer):
        return array
    return layer.pattern.gather(array.reshape(layer.pattern.shape))


def moves(before: Pattern, after: Pattern) -> IntArray:
    """The new place of everything that was stored, -1 where it is stored no more."""
    old, new = _keys(before), _keys(after)
    if len(new) == 0:
        return np.full(len(old), -1)
    place = np.minimum(np.searchsorted(new, old), len(new) - 1)
    return np.where(new[place] == old, place, -1)


def _keys(pattern: Pattern) -> IntArray:
    """One ascending number for each stored weight or block."""
    width = pattern.shape[1] + 1
    keys: IntArray = row_of_each(pattern.indptr) * width + pattern.indices
    return keys
