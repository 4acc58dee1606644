"""What is known of each input, given to the weights that read it."""

import numpy as np

from minprune._check import FloatArray, dimensions, float64, not_negative


def by_weight(caller: str, weight: FloatArray, **evidence: FloatArray) -> FloatArray:
    """For every weight the size of the input that it reads, in the weight's shape.

    `evidence` is one array by its name, 0 or more: (in,) or (groups, K).
    """
    ((name, _),) = evidence.items()
    (sizes,) = float64(caller, **evidence)
    dimensions(caller, 1, 2, **{name: sizes})
    dimensions(caller, 2, 3, 4, weight=weight)
    columns = int(np.prod(weight.shape[1:]))
    groups = len(sizes) if sizes.ndim == 2 else 1
    if sizes.shape[-1] != columns or groups == 0 or len(weight) % groups:
        raise ValueError(
            f"{caller}: {name} has shape {sizes.shape} but weight has shape "
            f"{weight.shape}; expected ({columns},), or (groups, {columns}) with "
            f"groups that divide the outputs"
        )
    not_negative(caller, **{name: sizes})
    by_output = np.repeat(sizes.reshape(groups, columns), len(weight) // groups, axis=0)
    return by_output.reshape(weight.shape)
