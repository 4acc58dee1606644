"""What is gained and lost: quality, counts, time, energy, agreement, health."""

from minprune.metrics.agreement import Agreement, agreement, rounding_bound
from minprune.metrics.count import Count, LayerCount, count
from minprune.metrics.energy import Energy, energy
from minprune.metrics.health import LayerHealth, health
from minprune.metrics.quality import (
    Quality,
    accuracy,
    class_accuracy,
    quality,
    root_mean_square_error,
)
from minprune.metrics.recovery import recovery
from minprune.metrics.summary import figures, summary
from minprune.metrics.timing import medians

__all__ = [
    "Agreement",
    "Count",
    "Energy",
    "LayerCount",
    "LayerHealth",
    "Quality",
    "accuracy",
    "agreement",
    "class_accuracy",
    "count",
    "energy",
    "figures",
    "health",
    "medians",
    "quality",
    "recovery",
    "root_mean_square_error",
    "rounding_bound",
    "summary",
]
