"""Chapter W: a pruned weight that went to a file and came back."""

from collections.abc import Iterator

import numpy as np

from minprune._check import BoolArray, FloatArray
from minprune.conformance import strategies
from minprune.conformance.adapter import Toolkit
from minprune.conformance.registry import Case, check, expect, same_mask


def weights(rng: np.random.Generator) -> Iterator[Case]:
    """Full, empty, sparse; linear and convolution."""
    for shape in ((4, 6), (3, 2, 3, 3)):
        for density in (0.0, 0.1, 0.5, 1.0):
            weight = rng.normal(size=shape).astype(np.float32)
            yield {"weight": weight, "mask": rng.random(shape) < density}


@check("W.1", weights, strategies.stored)
def weights_come_back_bit_for_bit(
    toolkit: Toolkit, weight: FloatArray, mask: BoolArray
) -> None:
    """Kept weights are the same numbers, pruned ones are zero."""
    got, _ = toolkit.store(weight, mask)
    want = np.where(mask, weight, np.float32(0))
    got = np.asarray(got)
    expect(
        got.shape == want.shape and bool((got == want).all()),
        "the weight came back changed",
        weight=weight,
        mask=mask,
    )


@check("W.2", weights, strategies.stored)
def masks_come_back(toolkit: Toolkit, weight: FloatArray, mask: BoolArray) -> None:
    """What is pruned is still pruned after loading, and nothing else."""
    _, got = toolkit.store(weight, mask)
    same_mask(got, mask, "the mask after loading", mask=mask)


def kept_zeros(rng: np.random.Generator) -> Iterator[Case]:
    """Weights of which some are pruned and one kept one is zero."""
    for case in weights(rng):
        if case["mask"].any() and not case["mask"].all():
            case["weight"][tuple(np.argwhere(case["mask"])[0])] = 0
            yield case


@check("W.3", kept_zeros)
def a_zero_weight_is_not_a_pruned_weight(
    toolkit: Toolkit, weight: FloatArray, mask: BoolArray
) -> None:
    """A kept weight whose value is zero comes back as kept."""
    _, got = toolkit.store(weight, mask)
    same_mask(got, mask, "the mask of a weight with a kept zero", mask=mask)
