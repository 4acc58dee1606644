"""Which weights stay, given their scores: counts, selection, patterns, schedules.

Arrays in, arrays out; no network is needed. ``docs/specification.md`` states what these
functions promise, clause by clause.

>>> import numpy as np
>>> from minprune import masks
>>> scores = {"w1": np.array([0.3, 0.1, 0.8]), "w2": np.array([0.2, 0.9])}
>>> masks.select(scores, sparsity="0.4", scope="network")
{'w1': array([ True, False,  True]), 'w2': array([False,  True])}
"""

from minprune.masks import allocate, schedule, units
from minprune.masks._request import Masks, Scope, Scores
from minprune.masks.adaptive import AdaptiveThreshold
from minprune.masks.contract import Profile
from minprune.masks.count import (
    NoAnswer,
    Share,
    apportion,
    in_proportion,
    kept,
    removed,
    rounded,
    share,
)
from minprune.masks.nm import best_square, greedy_square, keep_of_group
from minprune.masks.profiles import PROFILES, compare, profile
from minprune.masks.schedule import SCHEDULES, Schedule
from minprune.masks.select import lowest, select
from minprune.masks.threshold import above, at_least, at_quantile
from minprune.masks.units import UNITS, Units

__all__ = [
    "PROFILES",
    "SCHEDULES",
    "UNITS",
    "AdaptiveThreshold",
    "Masks",
    "NoAnswer",
    "Profile",
    "Schedule",
    "Scope",
    "Scores",
    "Share",
    "Units",
    "above",
    "allocate",
    "apportion",
    "at_least",
    "at_quantile",
    "best_square",
    "compare",
    "greedy_square",
    "in_proportion",
    "keep_of_group",
    "kept",
    "lowest",
    "profile",
    "removed",
    "rounded",
    "schedule",
    "select",
    "share",
    "units",
]
