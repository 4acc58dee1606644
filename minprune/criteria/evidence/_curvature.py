r"""Second-order evidence, exact: the complex step through the backward pass.

The gradient is a real-analytic function of the parameters wherever the loss is smooth,
so for a direction v

.. math:: H v = \operatorname{Im} g(w + i h v) / h + O(h^2),

and with h = 1e-20 nothing is left of the error term: no subtraction, no step size to
choose. One product costs one complex forward and backward over the examples.
"""

from collections.abc import Callable, Mapping

import numpy as np

from minprune._check import FloatArray, one_of
from minprune.criteria.evidence._examples import Examples
from minprune.criteria.evidence._moments import fisher_diag
from minprune.criteria.evidence._sites import sites, twin
from minprune.nn.loss import Loss
from minprune.nn.network import Network

STEP = 1e-20
"""h: its square is far below the rounding of any gradient, h itself far above zero."""

HESSIAN_LIMIT = 4096
"""Most weights whose Hessian is written out: 128 MiB, and as many products."""

PIECEWISE_LINEAR = {
    "AvgPool1d",
    "AvgPool2d",
    "BatchNorm",
    "Concat",
    "Conv1d",
    "Conv2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "Heads",
    "LeakyReLU",
    "Linear",
    "MaxPool1d",
    "MaxPool2d",
    "ReLU",
    "ReLU6",
    "Residual",
    "Sequential",
}
"""Layers that, in evaluation, are piecewise linear in their input, and in any one of
their weights."""

Direction = Mapping[str, FloatArray]
Product = Callable[[Direction], dict[str, FloatArray]]


def hessian_product(net: Network, examples: Examples) -> Product:
    """The function v -> H v of the mean loss, over dicts of parameters by name.

    Parameters that are not named do not move; the product is given for all of them.
    """
    stepped = twin(net, np.complex128)
    at = {name: array.copy() for name, array in stepped.parameters().items()}

    def product(direction: Direction) -> dict[str, FloatArray]:
        for name, v in direction.items():
            one_of("hessian_product", "parameter", name, at)
            if np.shape(v) != at[name].shape:
                raise ValueError(
                    f"hessian_product: the direction of {name} has shape {np.shape(v)} "
                    f"but the parameter has shape {at[name].shape}"
                )
        params = stepped.parameters()
        for name, value in at.items():
            params[name][...] = value + 1j * STEP * np.asarray(direction.get(name, 0.0))
        total: dict[str, FloatArray] = {}
        for _, _, gradient in examples.passes(stepped):
            stepped.backward(gradient)
            for name, grad in stepped.gradients().items():
                total[name] = total.get(name, 0.0) + grad.imag / STEP
        return {name: value / len(examples) for name, value in total.items()}

    return product


def hessian_gradient(net: Network, examples: Examples) -> dict[str, FloatArray]:
    """H g, with g the gradient of the mean loss in the prunable weights."""
    still = twin(net)
    total = {name: np.zeros(w.shape) for name, w in still.weights().items()}
    for _, _, gradient in examples.passes(still):
        still.backward(gradient)
        grads = still.gradients()
        for name in total:
            total[name] += grads[name]
    g = {name: value / len(examples) for name, value in total.items()}
    return hessian_product(net, examples)(g)


def hessian(product: Product, name: str, shape: tuple[int, ...]) -> FloatArray:
    """The Hessian in one weight, entries in C order, column by column."""
    size = int(np.prod(shape))
    if size > HESSIAN_LIMIT:
        raise ValueError(
            f"collect: the Hessian of {name} has {size} x {size} entries; it is "
            f"written out for up to {HESSIAN_LIMIT} weights, so ask for hvp, hess_diag "
            f"or fisher_diag instead"
        )
    columns = [
        product({name: unit.reshape(shape)})[name].ravel() for unit in np.eye(size)
    ]
    whole = np.array(columns).reshape(size, size)
    return (whole + whole.T) / 2  # equal but for rounding


def hessian_diagonals(net: Network, examples: Examples) -> dict[str, FloatArray]:
    """The diagonal of the Hessian of the mean loss, for every prunable weight.

    Exact, by one of two ways. Where the network is piecewise linear, its output does
    not bend in any one weight, so the second derivative is that of the loss alone,
    carried back: ``J' (d2L/dz2) J``, squares summed over a few backward passes.
    Otherwise one complex step for each weight.
    """
    kinds = {layer.kind for _, layer in twin(net).root.walk()}
    if kinds <= PIECEWISE_LINEAR:
        return _through_the_output(net, examples)
    shapes = {name: weight.shape for name, weight in net.weights().items()}
    if (size := sum(int(np.prod(s)) for s in shapes.values())) > HESSIAN_LIMIT:
        raise ValueError(
            f"collect: hess_diag takes one pass for each of {size} weights, since "
            f"{', '.join(sorted(kinds - PIECEWISE_LINEAR))} is not piecewise linear; "
            f"the limit is {HESSIAN_LIMIT}, so ask for fisher_diag instead"
        )
    product = hessian_product(net, examples)
    diagonals: dict[str, FloatArray] = {
        name: np.empty(shape) for name, shape in shapes.items()
    }
    for name, diagonal in diagonals.items():
        for index in np.ndindex(diagonal.shape):
            unit = np.zeros(diagonal.shape)
            unit[index] = 1.0
            diagonal[index] = product({name: unit})[name][index]
    return diagonals


def _through_the_output(net: Network, examples: Examples) -> dict[str, FloatArray]:
    """Sum of ``sign(l) (J' u sqrt|l|)^2`` over the eigenpairs (l, u) of d2L/dz2."""
    listening = twin(net)
    places = sites(listening)
    total = {name: np.zeros(site.weight.shape) for name, site in places.items()}
    for part in examples.batches():
        output = listening(part.x, part.lengths, batch_size=len(part)).T
        bends = _output_hessians(examples.loss, output, part.y)
        values, vectors = np.linalg.eigh(bends)
        for i in range(len(output)):
            size, sign = np.sqrt(np.abs(values[:, i])), np.sign(values[:, i])
            for here in (sign > 0, sign < 0):
                if not here.any():
                    continue
                seed = np.where(here, size, 0.0) * vectors[:, :, i].T
                listening.backward(seed)
                for name, site in places.items():
                    square = fisher_diag(site)
                    total[name] += square if sign[here][0] > 0 else -square
    return {name: value / len(examples) for name, value in total.items()}


def _output_hessians(loss: Loss, output: FloatArray, target: FloatArray) -> FloatArray:
    """Second derivative of each example's loss in its outputs: (N, out, out)."""
    outputs, count = output.shape
    columns = []
    for k in range(outputs):
        stepped: FloatArray = output.astype(np.complex128)
        stepped[k] += 1j * STEP
        _, gradient = loss(stepped, target)
        columns.append(gradient.imag.T * (count / STEP))
    bends = np.stack(columns, axis=1)
    whole: FloatArray = (bends + bends.transpose(0, 2, 1)) / 2
    return whole
