"""Whole layers and blocks: what each is worth, and the network without some of them.

A residual block can go because its shortcut stays; any other layer can go if it gives
back the shape that it takes. What follows directly behind a dropped layer may be merged
with what came before it: see `minprune.structure.merge`.
"""

from collections.abc import Callable, Iterable

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray, one_of
from minprune.criteria.evidence._sites import Probe, twin
from minprune.criteria.layer import block_ablation, block_influence, layer_scale
from minprune.data import Split
from minprune.metrics.count import input_shapes
from minprune.nn.chain import Residual, Sequential
from minprune.nn.layer import Layer, Mode, build
from minprune.nn.loss import Loss
from minprune.nn.network import Network
from minprune.nn.norm import BatchNorm
from minprune.nn.train import evaluate

Similarity = Callable[[FloatArray, FloatArray], FloatArray]
"""From what goes into a block and what comes out to a score, examples first."""


def droppable(net: Network) -> list[str]:
    """Names of the layers and blocks that a network can do without.

    Residual blocks, and layers with parameters in a chain that give back the shape that
    they take.

    Examples
    --------
    >>> from minprune import nn
    >>> block = nn.Residual(nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 3)))
    >>> root = nn.Sequential(nn.Linear(3, 3), block, nn.ReLU(), nn.Linear(3, 2))
    >>> droppable(nn.Network(root, (3,)))
    ['0', '1']
    """
    shapes, layers = input_shapes(net), net.layers()
    found = []
    for name, layer in layers.items():
        if not name or not isinstance(layers[name.rpartition(".")[0]], Sequential):
            continue
        keeps = layer.output_shape(shapes[name]) == shapes[name]
        holds = any(below.params for _, below in layer.walk())
        if isinstance(layer, Residual) or (keeps and holds):
            found.append(name)
    return found


def drop_layers(net: Network, names: Iterable[str]) -> Network:
    """The network without some layers; of a residual block the shortcut stays.

    Parameters
    ----------
    net : Network
        Left as it is.
    names : iterable of str
        From `droppable`. Layers that stay keep their names.

    Returns
    -------
    shorter : Network
        It shares no array with `net`.

    Raises
    ------
    ValueError
        If a layer cannot be dropped, or stands inside another that is dropped.

    Examples
    --------
    >>> from minprune import nn
    >>> root = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> list(drop_layers(nn.Network(root, (3,)), ["0"]).layers())
    ['', '1', '2']
    """
    can, out = droppable(net), list(names)
    for name in out:
        one_of("drop_layers", "layer that can be dropped", name, can)
        for other in out:
            if name.startswith(f"{other}."):
                raise ValueError(
                    f"drop_layers: {name} stands inside {other}, which is dropped too; "
                    f"name one of them"
                )

    def shorter(name: str, layer: Layer) -> Layer:
        if not layer.children:
            return layer.clone()
        children = {}
        for key, child in layer.children.items():
            below = f"{name}.{key}" if name else key
            if below not in out:
                children[key] = shorter(below, child)
            elif isinstance(child, Residual) and "shortcut" in child.children:
                children[key] = child.children["shortcut"].clone()
        return build(layer.kind, layer.arguments(), children)

    return net.with_root(shorter("", net.root))


def layer_ablations(net: Network, split: Split, loss: Loss) -> dict[str, float]:
    """Rise of the mean loss when a layer is dropped, for each that can be.

    Parameters
    ----------
    net : Network
        Left as it is.
    split : Split
        Samples and targets.
    loss : callable
        As for training; see `minprune.nn.train.default_loss`.

    Returns
    -------
    scores : dict of layer name to float
        In units of the loss; higher is kept. One pass over the split for each layer.
    """
    base, _ = evaluate(net, split, loss)
    scores = {}
    for name in droppable(net):
        without, _ = evaluate(drop_layers(net, [name]), split, loss)
        scores[name] = float(block_ablation(np.asarray(without - base)))
    return scores


def layer_scales(net: Network) -> dict[str, float]:
    """Mean size of the last batch-norm scales in a layer, for each that can go.

    Returns
    -------
    scores : dict of layer name to float
        Higher is kept. Layers without scales are left out.
    """
    layers, scores = net.layers(), {}
    for name in droppable(net):
        inside = layers[name].children.get("body", layers[name])
        norms = [
            layer
            for _, layer in inside.walk()
            if isinstance(layer, BatchNorm) and layer.params
        ]
        if norms:
            scores[name] = float(layer_scale(norms[-1].params["weight"]))
    return scores


def layer_similarities(
    net: Network,
    x: AnyArray,
    *,
    lengths: IntArray | None = None,
    criterion: Similarity = block_influence,
) -> dict[str, float]:
    """How much a layer changes what passes through, for each that can be dropped.

    Parameters
    ----------
    net : Network
        Left as it is.
    x : ndarray, shape (N, *input_shape)
        Raw samples.
    lengths : ndarray of int, optional
        True lengths of padded sequences.
    criterion : callable
        `block_influence` or `linear_cka` of `minprune.criteria.layer`. The former
        compares entry by entry, so blocks that change the shape are left out with it.

    Returns
    -------
    scores : dict of layer name to float
        Higher is kept.
    """
    listening = twin(net)
    layers = listening.layers()
    probes = {name: Probe(layers[name]) for name in droppable(net)}
    for name, probe in probes.items():
        parent, _, key = name.rpartition(".")
        layers[parent].children[key] = probe
    listening.forward(listening.enter(x), Mode(lengths=lengths))
    scores = {}
    for name, probe in probes.items():
        into, out = (np.moveaxis(side, -1, 0) for side in (probe.x, probe.y))
        if criterion is not block_influence or into.shape == out.shape:
            scores[name] = float(criterion(into, out))
    return scores
