"""The clauses once more, written for reading and sharing no code with the engine.

A check compares a toolkit with these. They are slow on purpose: exact fractions, sorted
lists, loops, decimal numbers of sixty digits that know what float32 may lose.
"""

from minprune.conformance.definition.allocation import (
    allocation,
    allocation_is_in_proportion,
    by_cost,
    by_network,
    in_proportion,
    owl,
    raw_density,
    uniform_plus,
)
from minprune.conformance.definition.criteria import score, solve
from minprune.conformance.definition.exact import Undecided
from minprune.conformance.definition.networks import (
    compact,
    evaluate,
    masked,
    mlp,
    rounding,
    shrink,
)
from minprune.conformance.definition.patterns import (
    best_square,
    greedy_square,
    keep_of_group,
    squares,
    unit_mask,
    units,
)
from minprune.conformance.definition.schedules import geometric, moves, schedule
from minprune.conformance.definition.scores import FORMULAS
from minprune.conformance.definition.selection import (
    again,
    cut,
    lowest_first,
    mask,
    removed,
    threshold,
)
from minprune.conformance.definition.solvers import SOLVERS

__all__ = [
    "FORMULAS",
    "SOLVERS",
    "Undecided",
    "again",
    "allocation",
    "allocation_is_in_proportion",
    "best_square",
    "by_cost",
    "by_network",
    "compact",
    "cut",
    "evaluate",
    "geometric",
    "greedy_square",
    "in_proportion",
    "keep_of_group",
    "lowest_first",
    "mask",
    "masked",
    "mlp",
    "moves",
    "owl",
    "raw_density",
    "removed",
    "rounding",
    "schedule",
    "score",
    "shrink",
    "solve",
    "squares",
    "threshold",
    "uniform_plus",
    "unit_mask",
    "units",
]
