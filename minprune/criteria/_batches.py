"""What evidence that comes once for every batch, or every example, must look like."""

from minprune._check import FloatArray


def by_batch(caller: str, name: str, one: FloatArray, stacked: FloatArray) -> None:
    """Raise ValueError unless `stacked` holds a gradient like `one` for every batch."""
    if stacked.shape[1:] != one.shape or stacked.ndim == 0 or len(stacked) == 0:
        raise ValueError(
            f"{caller}: the gradient of {name} by batch has shape {stacked.shape} but "
            f"{name} has shape {one.shape}; expected the batches on the first axis, at "
            f"least one, and the shape of {name} behind it"
        )


def by_example(caller: str, weight: FloatArray, grads: FloatArray) -> None:
    """Raise ValueError unless `grads` is one array like `weight` for every example."""
    if grads.ndim == 0 or grads.shape[1:] != weight.shape or len(grads) == 0:
        raise ValueError(
            f"{caller}: grad_by_example has shape {grads.shape}; expected "
            f"(examples, {', '.join(map(str, weight.shape))}) with one example or more"
        )
