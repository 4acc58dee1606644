"""The figures every report begins with, as one flat mapping."""

from typing import Any

from minprune.data import Dataset
from minprune.metrics.count import Count, count
from minprune.metrics.quality import Answers, quality
from minprune.nn.network import Network
from minprune.nn.train import default_loss


def summary(net: Network, data: Dataset) -> dict[str, Any]:
    """Quality on validation and test, and counts; see `figures`."""
    return figures(net, data, count(net))


def figures(net: Answers, data: Dataset, counted: Count) -> dict[str, Any]:
    """Quality on validation and test, and counts that were made already.

    Returns
    -------
    found : dict
        ``test_accuracy`` and ``test_loss`` (``test_rmse`` beside them for regression,
        where accuracy is None), the same for ``val``, ``sparsity``, ``weights`` (kept),
        ``weights_total``, ``stored_bytes`` (arrays in the file, indices included),
        ``resident_bytes``, ``execution_bytes``, ``macs`` (executed on one sample) and
        ``macs_needed``.
    """
    loss = default_loss(data)
    values: dict[str, Any] = {}
    for name, split in (("val", data.val), ("test", data.test)):
        found = quality(net, split, loss)
        values |= {
            f"{name}_accuracy": found.accuracy,
            f"{name}_loss": found.loss,
            f"{name}_by_class": dict(zip(data.classes, found.by_class, strict=False)),
        }
        if found.rmse is not None:
            values[f"{name}_rmse"] = found.rmse
    return values | {
        "sparsity": counted.sparsity,
        "weights": counted.kept,
        "weights_total": counted.weights,
        "stored_bytes": counted.file_bytes,
        "resident_bytes": counted.resident_bytes,
        "execution_bytes": counted.execution_bytes,
        "macs": counted.macs_executed,
        "macs_needed": counted.macs_needed,
    }
