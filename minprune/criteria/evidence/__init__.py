"""What criteria may be given: every piece of evidence about a network, collected here.

This is the one place of the room that knows networks. Everything is taken from a copy
of the network in float64, in evaluation mode, with dense layers; sums run in float64
over a stated number of examples. `EVIDENCE` has each name with its shape and its unit.
For a convolution, inputs are unfolded columns, K = in/groups * kh * kw of them in a
group, and means run over examples and positions.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minprune._check import AnyArray, FloatArray, one_of
from minprune.criteria.evidence._curvature import (
    hessian,
    hessian_diagonals,
    hessian_gradient,
    hessian_product,
)
from minprune.criteria.evidence._examples import Examples, Source, choose
from minprune.criteria.evidence._moments import (
    BY_BATCH,
    FORWARD_ONLY,
    STACKS,
    SUMS,
    input_variances,
)
from minprune.criteria.evidence._replaced import loss_changes, path_gradients
from minprune.criteria.evidence._sites import Site, sites, twin
from minprune.nn.conv import Convolution
from minprune.nn.loss import Loss
from minprune.nn.network import Network

__all__ = ["EVIDENCE", "collect", "hessian_product"]

EVIDENCE = {
    "weight": "as the weight; pruned entries zero",
    "grad": "as the weight, loss/weight: of the mean loss",
    "grad_by_batch": "(batches, ...weight), loss/weight: of each batch's mean loss",
    "grad_by_example": "(examples, ...weight), loss/weight: of each example's loss",
    "fisher_diag": "as the weight, loss^2/weight^2: mean of squared example gradients",
    "hess_diag": "as the weight, loss/weight^2: exact",
    "hessian_grad": "as the weight, loss^2/weight^3: H g over all prunable weights",
    "hessian": "(n, n), loss/weight^2: within the weight, entries in C order",
    "hvp": "a function from a direction, shaped as the weight, to H v in the weight",
    "input_norm": "(in,) or (groups, K), input: root mean square",
    "input_variance": "(in,) or (groups, K), input^2: about the mean",
    "gram": "(in, in) or (groups, K, K), input^2: mean of x x'",
    "output_gram": "(out, out), output^2: mean of y y', y before norm and function",
    "kfac_a": "the same as gram",
    "kfac_g": "(out, out), loss^2/output^2: mean of g g', g the gradient at y",
    "activation": "(examples, out[, ...]), output: behind norm and function",
    "activation_grad": "as activation, loss/output: of each example's loss",
    "output": "(examples, out[, ...]), output: before norm and function",
    "bn_scale": "(out,): of the batch norm that follows directly",
    "bn_shift": "(out,): of the same",
    "bn_scale_grad": "(out,), loss/scale: of the mean loss",
    "bn_shift_grad": "(out,), loss/shift: of the mean loss",
    "bn_scale_grad_by_batch": "(batches, out), loss/scale",
    "bn_shift_grad_by_batch": "(batches, out), loss/shift",
    "loss_change": "(out,), loss: rise of the mean loss when a unit is removed",
    "next_weight": "(other, out, ...): the weight of the layer that reads these units",
    "flow_grad": "as the weight: of the sum over paths of absolute weights",
    "path_grad": "as the weight: of the sum over paths of squared weights",
}
"""Name, shape and unit of all that `collect` gives."""

WITHOUT_DATA = {
    "weight",
    "bn_scale",
    "bn_shift",
    "next_weight",
    "flow_grad",
    "path_grad",
}
"""Evidence that the network gives by itself."""

FLOWS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "flow_grad": np.abs,
    "path_grad": np.square,
}
"""By which size of the parameters a path is measured."""

PASSES: dict[str, Callable[[Network, Examples], dict[str, FloatArray]]] = {
    "loss_change": loss_changes,
    "hessian_grad": hessian_gradient,
    "hess_diag": hessian_diagonals,
    "input_variance": input_variances,
}
"""Evidence that takes passes of its own over the examples."""


def collect(
    net: Network,
    data: Source | None,
    needs: Sequence[str],
    *,
    examples: int | None = None,
    batch: int = 64,
    seed: int = 0,
    loss: Loss | None = None,
) -> dict[str, dict[str, Any]]:
    """Evidence about every prunable weight of a network.

    Parameters
    ----------
    net : Network
        Left as it is: a float64 copy of it is looked at, in evaluation mode. Sparse
        layers are looked at as dense ones, so gradients are there at pruned positions
        too.
    data : Dataset, Split, (x, y) or (x, y, lengths), or None
        Raw samples, batch first, and targets; of a `Dataset` the training split. None
        will do where only `WITHOUT_DATA` is asked for.
    needs : sequence of str
        Names of `EVIDENCE`.
    examples : int, optional
        How many examples are looked at, drawn without repetition; all in their order
        when left out.
    batch : int
        Examples at a time. It bounds the memory, and says what a batch is in the
        evidence that is given by batch; the last may be shorter.
    seed : int
        Of the draw.
    loss : callable, optional
        Left out: cross-entropy for integer targets, mean squared error otherwise.

    Returns
    -------
    evidence : dict of weight name to dict of evidence name to array
        A weight for which something asked for does not exist (no batch norm follows it,
        no single layer reads it) is left out.

    Raises
    ------
    ValueError
        If a name is unknown, data are needed and missing, or no weight has everything
        that is asked for.

    Notes
    -----
    Second-order evidence is exact (complex steps through the backward pass), and its
    cost is stated where it is refused. Memory is what the float64 copy needs for one
    batch, the results themselves, and scratch of a fixed size.

    Examples
    --------
    Two equal examples have the gradient of one; their gradients are two.

    >>> from minprune.nn import Linear, Network, Sequential
    >>> net = Network(Sequential(Linear(1, 2)), (1,), seed=0)
    >>> x, y = np.ones((2, 1)), np.array([0, 0])
    >>> found = collect(net, (x, y), ["grad", "grad_by_example"])["0.weight"]
    >>> found["grad"].shape, found["grad_by_example"].shape
    ((2, 1), (2, 2, 1))
    >>> bool(np.allclose(found["grad"], found["grad_by_example"][0]))
    True
    """
    for need in needs:
        one_of("collect", "evidence", need, EVIDENCE)
    places = _complete(sites(still := twin(net)), needs)
    found: dict[str, dict[str, Any]] = {name: {} for name in places}
    for need in needs:
        if need in PARAMETERS:
            for name, site in places.items():
                found[name][need] = PARAMETERS[need](site)
    for need in FLOWS.keys() & needs:
        _file(found, need, path_gradients(net, FLOWS[need]))
    if set(needs) <= WITHOUT_DATA:
        return found
    if data is None:
        asked = sorted(set(needs) - WITHOUT_DATA)
        raise ValueError(f"collect: {', '.join(asked)} cannot be had without data")
    chosen = choose(data, examples, batch, seed, loss)
    _one_pass(still, places, chosen, needs, found)
    for need in PASSES.keys() & needs:
        _file(found, need, PASSES[need](net, chosen))
    if {"hvp", "hessian"} & set(needs):
        product = hessian_product(net, chosen)
        for name, site in places.items():
            if "hvp" in needs:
                found[name]["hvp"] = _within(product, name)
            if "hessian" in needs:
                found[name]["hessian"] = hessian(product, name, site.weight.shape)
    return found


def _complete(places: dict[str, Site], needs: Sequence[str]) -> dict[str, Site]:
    """The sites that have what is asked for."""
    normed = any(need.startswith("bn_") for need in needs)
    full = {
        name: site
        for name, site in places.items()
        if (not normed or (site.norm is not None and site.norm.params))
        and ("next_weight" not in needs or _next_weight(site) is not None)
    }
    if places and not full:
        raise ValueError(
            f"collect: no layer has {', '.join(needs)}; bn_ evidence needs a batch "
            f"norm with scale and shift directly behind the layer, next_weight a plain "
            f"chain to the next layer"
        )
    return full


def _of_norm(site: Site, key: str) -> FloatArray | None:
    """A parameter of the batch norm that follows, if one does."""
    return None if site.norm is None else site.norm.params[key].copy()


def _next_weight(site: Site) -> FloatArray | None:
    """The consumer's weight as (other, out, ...), the units' own axis second."""
    consumer, units = site.consumer, len(site.weight)
    if consumer is None:
        return None
    weight = consumer.weights()["weight"]
    if isinstance(consumer, Convolution):
        return weight.copy() if weight.shape[1] == units else None
    if site.flattened:
        return weight.reshape(len(weight), units, -1)
    return weight.copy()


PARAMETERS: dict[str, Callable[[Site], AnyArray | None]] = {
    "weight": lambda site: site.weight.copy(),
    "bn_scale": lambda site: _of_norm(site, "weight"),
    "bn_shift": lambda site: _of_norm(site, "bias"),
    "next_weight": _next_weight,
}


def _one_pass(
    net: Network,
    places: dict[str, Site],
    examples: Examples,
    needs: Sequence[str],
    found: dict[str, dict[str, Any]],
) -> None:
    """Fill in what one pass over the examples gives."""
    asked = set(needs) & (SUMS.keys() | STACKS.keys() | BY_BATCH.keys())
    if not asked:
        return
    lists: dict[tuple[str, str], list[AnyArray]] = {}
    for count, _, gradient in examples.passes(net):
        if asked - FORWARD_ONLY:
            net.backward(gradient)
        for name, site in places.items():
            for need in asked:
                if need in SUMS:
                    found[name][need] = found[name].get(need, 0.0) + SUMS[need](site)
                elif need in STACKS:
                    lists.setdefault((name, need), []).append(STACKS[need](site))
                else:
                    mean = BY_BATCH[need](site)[None] / count
                    lists.setdefault((name, need), []).append(mean)
    for (name, need), parts in lists.items():
        found[name][need] = np.concatenate(parts)
    for name in places:
        for need in asked & SUMS.keys():
            mean = found[name][need] / len(examples)
            found[name][need] = np.sqrt(mean) if need == "input_norm" else mean


def _file(
    found: dict[str, dict[str, Any]], need: str, values: dict[str, FloatArray]
) -> None:
    """Put one piece of evidence where it belongs."""
    for name, evidence in found.items():
        evidence[need] = values[name]


def _within(
    product: Callable[[dict[str, FloatArray]], dict[str, FloatArray]], name: str
) -> Callable[[FloatArray], FloatArray]:
    """The Hessian-vector product of one weight with the others held still."""
    return lambda direction: product({name: direction})[name]
