"""Training and pruning together: when to score, what to remove, how to recover.

Every procedure is a small object. Those that take part in training are `Procedure`s for
``nn.train(..., procedures=[...])`` and combine by standing in one list.
"""

from minprune.prune.adaptive import Adaptive
from minprune.prune.admm import ADMM
from minprune.prune.channels import Channels, GradualChannels
from minprune.prune.cut import Cut
from minprune.prune.edge_popup import EdgePopup
from minprune.prune.evolve import SET, SNFS, DeepR, RigL, hold_sparsely
from minprune.prune.gradual import Gradual
from minprune.prune.hard_concrete import HardConcrete
from minprune.prune.movement import Movement, SoftMovement
from minprune.prune.oneshot import OneShot
from minprune.prune.phases import Phases
from minprune.prune.plan import Plan, Record
from minprune.prune.powerprop import Powerpropagation
from minprune.prune.recover import recover
from minprune.prune.regularized import GrowingPenalty, Regularized
from minprune.prune.rounds import Rounds, force, iterative_snip, synflow
from minprune.prune.score import score
from minprune.prune.soft_filters import SoftFilters
from minprune.prune.soft_threshold import SoftThreshold
from minprune.prune.stage import Remove, Stage
from minprune.prune.straight_through import StraightThrough
from minprune.prune.surgery import Surgery
from minprune.prune.tasks import TaskReport, TaskShot
from minprune.prune.tickets import Ticket, Tickets, reinitialized, shuffled
from minprune.prune.top_kast import TopKAST
from minprune.prune.undo import Undo
from minprune.prune.until import Attempt, Reached, Until
from minprune.prune.variational import VariationalDropout

__all__ = [
    "ADMM",
    "SET",
    "SNFS",
    "Adaptive",
    "Attempt",
    "Channels",
    "Cut",
    "DeepR",
    "EdgePopup",
    "Gradual",
    "GradualChannels",
    "GrowingPenalty",
    "HardConcrete",
    "Movement",
    "OneShot",
    "Phases",
    "Plan",
    "Powerpropagation",
    "Reached",
    "Record",
    "Regularized",
    "Remove",
    "RigL",
    "Rounds",
    "SoftFilters",
    "SoftMovement",
    "SoftThreshold",
    "Stage",
    "StraightThrough",
    "Surgery",
    "TaskReport",
    "TaskShot",
    "Ticket",
    "Tickets",
    "TopKAST",
    "Undo",
    "Until",
    "VariationalDropout",
    "force",
    "hold_sparsely",
    "iterative_snip",
    "recover",
    "reinitialized",
    "score",
    "shuffled",
    "synflow",
]
