"""Chapter A: how many weights each layer loses."""

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np

from minprune.conformance import definition, strategies
from minprune.conformance.adapter import Toolkit
from minprune.conformance.registry import Case, check, expect

Shapes = Mapping[str, tuple[int, ...]]
CONV = {
    "c1": (64, 3, 3, 3),
    "c2": (64, 64, 3, 3),
    "c3": (128, 64, 3, 3),
    "fc": (10, 128),
}
LENET = {"fc1": (300, 784), "fc2": (100, 300), "fc3": (10, 100)}


def networks(rng: np.random.Generator) -> Iterator[Case]:
    """LeNet-300-100 and a small convolution network, sparse and less so."""
    for shapes in (LENET, CONV):
        for sparsity in (0.5, 0.8, 0.9, 0.95):
            yield {"shapes": shapes, "sparsity": sparsity}


def _total(toolkit: Toolkit, method: str, shapes: Shapes, sparsity: float) -> None:
    """A.1 for one method."""
    counts = toolkit.allocate(method, shapes, sparsity)
    size = sum(prod(shape) for shape in shapes.values())
    got, want = sum(counts.values()), definition.removed(size, sparsity)
    expect(
        got == want,
        f"{method} at sparsity {sparsity}: layers lose {got} of {size} in all, which "
        f"is sparsity {got / size:.4f}; A.1 says {want}",
        shapes=dict(shapes),
        counts=dict(counts),
    )
    for name, shape in shapes.items():
        expect(
            0 <= counts[name] <= prod(shape),
            f"{method}: layer {name} of {prod(shape)} weights is to lose "
            f"{counts[name]}",
        )


def _proportion(toolkit: Toolkit, method: str, shapes: Shapes, sparsity: float) -> None:
    """A.3 for one method."""
    counts = toolkit.allocate(method, shapes, sparsity)
    fault = definition.allocation_is_in_proportion(method, shapes, counts)
    expect(not fault, f"{method} at {sparsity}: {fault}", shapes=dict(shapes))


@check("A.1", networks, strategies.allocation_requests)
def uniform_adds_up(toolkit: Toolkit, shapes: Shapes, sparsity: float) -> None:
    """Uniform sparsities remove what was asked of the whole."""
    _total(toolkit, "uniform", shapes, sparsity)


@check("A.1", networks, strategies.allocation_requests)
def er_adds_up(toolkit: Toolkit, shapes: Shapes, sparsity: float) -> None:
    """Erdos-Renyi densities, layers that are full included, reach the asked one."""
    _total(toolkit, "er", shapes, sparsity)


@check("A.1", networks, strategies.allocation_requests)
def erk_adds_up(toolkit: Toolkit, shapes: Shapes, sparsity: float) -> None:
    """ERK redistributes what full layers cannot take, until the density is reached."""
    _total(toolkit, "erk", shapes, sparsity)


@check("A.3", networks)
def uniform_densities_are_equal(
    toolkit: Toolkit, shapes: Shapes, sparsity: float
) -> None:
    """Every layer keeps the same share, up to rounding."""
    _proportion(toolkit, "uniform", shapes, sparsity)


@check("A.3", networks)
def er_densities_are_in_proportion(
    toolkit: Toolkit, shapes: Shapes, sparsity: float
) -> None:
    """Densities are in proportion to (in + out) / (in out), up to full layers."""
    _proportion(toolkit, "er", shapes, sparsity)


@check("A.3", networks)
def erk_densities_are_in_proportion(
    toolkit: Toolkit, shapes: Shapes, sparsity: float
) -> None:
    """Densities are in proportion to the sum of the sides over their product."""
    _proportion(toolkit, "erk", shapes, sparsity)
