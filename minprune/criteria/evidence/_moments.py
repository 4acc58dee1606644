"""Evidence that one pass over the examples gives: sums, and stacks.

The backward pass is seeded with the gradients of each example's *own* loss, so that
``dy`` holds one example's gradient in every column. A layer's examples are unfolded a
few at a time, and no array here is larger than `LIMIT` bytes but the results themselves
and what the network's own pass needs.
"""

from collections.abc import Callable, Iterator
from functools import partial, reduce

import numpy as np

from minprune._check import FloatArray
from minprune.criteria.evidence._examples import Examples
from minprune.criteria.evidence._sites import Site, Weighted, sites, twin
from minprune.nn.linear import Linear
from minprune.nn.network import Network
from minprune.nn.norm import BatchNorm

LIMIT = 32 * 2**20
"""Bytes of columns, or of single examples' gradients, held at once."""

Take = Callable[[Site], FloatArray]


def _pieces(
    layer: Weighted, site: Site, *, backward: bool = True
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Columns (groups, K, P, n) and gradients (groups, out/groups, P, n), in pieces."""
    examples = site.own.x.shape[-1]
    groups = 1 if isinstance(layer, Linear) else layer.groups
    weight = site.weight
    places = max(1, int(np.prod(site.own.y.shape[1:-1])))
    k = weight[0].size
    most = max(groups * k * places, weight.size) * weight.itemsize
    step = max(1, LIMIT // most)
    for first in range(0, examples, step):
        some = slice(first, first + step)
        columns = layer.columns(site.own.x[..., some])
        dy = site.own.dy[..., some] if backward else np.empty(0)
        shape = (groups, -1, places, columns.shape[-1])
        yield columns, dy.reshape(shape) if backward else dy


def _by_group(layer: Weighted, array: FloatArray) -> FloatArray:
    """A linear layer has no axis of groups."""
    return array[0] if isinstance(layer, Linear) else array


def grad(site: Site) -> FloatArray:
    """Sum of the examples' gradients: what the backward pass left in the layer."""
    return site.layer.grads[site.key]


def _example_grads(site: Site) -> Iterator[FloatArray]:
    """Gradients of single examples, (n, ...weight) at a time."""
    if site.own.x.shape[-1] == 1:
        yield grad(site)[None]
        return
    layer = site.layer
    if not isinstance(layer, Weighted):
        raise ValueError(
            f"collect: gradients by example of {site.name} in a {layer.kind} come one "
            f"at a time; call with batch=1"
        )
    for columns, dy in _pieces(layer, site):
        each = np.einsum("gkpn,gopn->ngok", columns, dy, optimize=True)
        yield each.reshape(-1, *site.weight.shape)


def grad_by_example(site: Site) -> FloatArray:
    """Each example's gradient."""
    return np.concatenate(list(_example_grads(site)))


def fisher_diag(site: Site) -> FloatArray:
    """Sum of the squares of each example's gradient."""
    total: FloatArray = np.zeros(site.weight.shape)
    for some in _example_grads(site):
        total += (some * some).sum(axis=0)
    return total


def _over_columns(
    evidence: str, site: Site, of: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Mean over positions of something of the columns, summed over examples."""
    layer = site.weighted(evidence)
    pieces = _pieces(layer, site, backward=False)
    means = (of(columns) / columns.shape[2] for columns, _ in pieces)
    return _by_group(layer, reduce(np.add, means))


def gram(site: Site) -> FloatArray:
    """Mean over positions of x x', summed over examples."""

    def products(columns: FloatArray) -> FloatArray:
        flat = columns.reshape(*columns.shape[:2], -1)
        return flat @ flat.transpose(0, 2, 1)

    return _over_columns("gram", site, products)


def input_square(site: Site) -> FloatArray:
    """Mean over positions of x squared, summed over examples: the Gram's diagonal."""
    return _over_columns("input_norm", site, lambda x: (x * x).sum(axis=(2, 3)))


def input_variances(net: Network, examples: Examples) -> dict[str, FloatArray]:
    """Mean squared distance of every input from its mean, in two passes.

    Squares less the square of the mean would lose a small variance beside a large mean.
    """
    still = twin(net)
    places = sites(still)

    def mean(of: Callable[[str, FloatArray], FloatArray]) -> dict[str, FloatArray]:
        total: dict[str, FloatArray] = {}
        for _ in examples.passes(still):
            for name, site in places.items():
                here = _over_columns("input_variance", site, partial(of, name))
                total[name] = total.get(name, 0.0) + here
        return {name: value / len(examples) for name, value in total.items()}

    means = mean(lambda name, x: x.sum(axis=(2, 3)))

    def squared_distance(name: str, x: FloatArray) -> FloatArray:
        away = x - means[name].reshape(*x.shape[:2], 1, 1)
        squares: FloatArray = (away * away).sum(axis=(2, 3))
        return squares

    return mean(squared_distance)


def _outer(values: FloatArray) -> FloatArray:
    """Mean over positions of v v', summed over examples; v is (units, ..., N)."""
    flat = values.reshape(len(values), -1)
    places = max(1, int(np.prod(values.shape[1:-1])))
    outer: FloatArray = flat @ flat.T / places
    return outer


def output_gram(site: Site) -> FloatArray:
    """The same of the layer's raw output."""
    return _outer(site.own.y)


def kfac_g(site: Site) -> FloatArray:
    """The same of the gradient at the layer's raw output."""
    site.weighted("kfac_g")
    return _outer(site.own.dy)


def _batch_first(values: FloatArray) -> FloatArray:
    """(units, ..., N) -> a copy (N, units, ...)."""
    return np.moveaxis(values, -1, 0).copy()


def activation(site: Site) -> FloatArray:
    """What the units hand on."""
    return _batch_first(site.tail.y)


def activation_grad(site: Site) -> FloatArray:
    """Gradient of each example's loss in it."""
    return _batch_first(site.tail.dy)


def output(site: Site) -> FloatArray:
    """The raw output, before norm and activation function."""
    return _batch_first(site.own.y)


def bn_grad(key: str) -> Take:
    """Sum of the examples' gradients in a parameter of the norm that follows."""

    def take(site: Site) -> FloatArray:
        assert isinstance(site.norm, BatchNorm), "only asked where a norm follows"
        return site.norm.grads[key]

    return take


SUMS: dict[str, Take] = {
    "grad": grad,
    "fisher_diag": fisher_diag,
    "input_norm": input_square,
    "gram": gram,
    "kfac_a": gram,
    "kfac_g": kfac_g,
    "output_gram": output_gram,
    "bn_scale_grad": bn_grad("weight"),
    "bn_shift_grad": bn_grad("bias"),
}
"""Summed over examples, divided by their number at the end."""

STACKS: dict[str, Take] = {
    "grad_by_example": grad_by_example,
    "activation": activation,
    "activation_grad": activation_grad,
    "output": output,
}
"""One entry an example, in the order in which the examples came."""

BY_BATCH: dict[str, Take] = {
    "grad_by_batch": grad,
    "bn_scale_grad_by_batch": bn_grad("weight"),
    "bn_shift_grad_by_batch": bn_grad("bias"),
}
"""One entry a batch: the mean over its examples."""

FORWARD_ONLY = {"input_norm", "gram", "kfac_a", "output_gram", "activation", "output"}
