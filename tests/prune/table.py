"""Every procedure once, with what it promises: one line a procedure, tested as one."""

from dataclasses import dataclass
from fractions import Fraction

from minprune import masks, prune
from tests.prune.cases import tasks

EPOCHS, BATCH_SIZE = 3, 48
PER_EPOCH = 192 // BATCH_SIZE
STEPS = EPOCHS * PER_EPOCH


@dataclass(frozen=True)
class Promise:
    """How a procedure is made, and what holds of it.

    `sparsity` gives, by the number of steps made, the exact share that is removed of
    the whole prunable set with scope "network", of each layer with "layer", or of all
    channels with "units"; None where the method reports what it has come to.
    """

    make: object
    sparsity: object = None
    scope: str = "layer"
    networks: tuple[str, ...] = ("linear", "conv")
    regrows: bool = False
    """What was pruned before training may come back: the pattern itself evolves."""
    integers: bool = True
    """Whether the network has an eight-bit form."""

    def procedures(self):
        """New ones, as a list."""
        made = self.make()
        return list(made) if isinstance(made, tuple) else [made]


def sparse():
    """The random pattern from which evolving ones start."""
    return prune.OneShot("random", sparsity="0.7", allocation="erk")


def from_step(step, share):
    """Nothing before a step, this share from it on."""
    return lambda at: Fraction(share) if at >= step else Fraction(0)


def ramp(final, end):
    """The cubic schedule from 0 at step 0, an update at every step."""
    return lambda at: Fraction(final) * (1 - (1 - Fraction(min(at, end), end)) ** 3)


PROMISES = {
    "one-shot": Promise(
        lambda: prune.OneShot("magnitude", sparsity="0.8"),
        from_step(0, "0.8"),
        scope="network",
    ),
    "gradual": Promise(
        lambda: prune.Gradual("magnitude", sparsity="0.8", end=8, frequency=1),
        ramp("0.8", 8),
        scope="network",
    ),
    "gradual, by layer": Promise(
        lambda: prune.Gradual(
            "taylor", sparsity="0.8", end=8, frequency=1, scope="layer"
        ),
        ramp("0.8", 8),
    ),
    "gradual, on chosen channels": Promise(
        lambda: prune.Gradual("magnitude", sparsity="0.8", end=8, frequency=1),
        ramp("0.8", 8),
        scope="network",
        networks=("gated",),
        integers=False,
    ),
    "gradual channels": Promise(
        lambda: prune.GradualChannels(
            prune.Channels("l1_norm"), sparsity="0.5", end=8, frequency=1
        ),
        ramp("0.5", 8),
        scope="units",
    ),
    "several tasks": Promise(
        lambda: prune.TaskShot("taylor", sparsity="0.7", tasks=tasks()),
        from_step(0, "0.7"),
        scope="network",
        networks=("heads",),
    ),
    "surgery": Promise(lambda: prune.Surgery(0.5)),
    "movement": Promise(
        lambda: prune.Movement(sparsity="0.7", end=8, frequency=1),
        ramp("0.7", 8),
    ),
    "soft movement": Promise(
        lambda: prune.SoftMovement(threshold=0.5, initial=1e-3, speed=10.0)
    ),
    "L1": Promise(
        lambda: prune.Regularized("l1", sparsity="0.6", at=6, scope="layer"),
        from_step(6, "0.6"),
    ),
    "group lasso": Promise(
        lambda: prune.Regularized("group_lasso", sparsity="0.5", at=6)
    ),
    "slimming": Promise(
        lambda: prune.Regularized("slimming", sparsity="0.5", at=6),
        networks=("conv",),
    ),
    "growing penalty": Promise(lambda: prune.GrowingPenalty(sparsity="0.5", at=6)),
    "growing penalty on weights": Promise(
        lambda: prune.GrowingPenalty("magnitude", sparsity="0.5", at=6, scope="layer"),
        from_step(6, "0.5"),
    ),
    "soft filters": Promise(lambda: prune.SoftFilters(sparsity="0.5")),
    "soft threshold": Promise(lambda: prune.SoftThreshold(-3.0, decay=1e-3)),
    "L0": Promise(lambda: prune.HardConcrete(20.0, open=0.3)),
    "variational dropout": Promise(
        lambda: prune.VariationalDropout(initial=-5.0, threshold=2.0)
    ),
    "phases": Promise(
        lambda: prune.Phases(sparsity="0.8", begin=2, end=8, phases=3, scope="layer"),
        # Turns at steps 2, 3, 5, 6, 8: compressed from 2, from 5 and from 8 on.
        lambda at: Fraction("0.8") if at in (2, 5) or at >= 8 else Fraction(0),
    ),
    "top-KAST": Promise(
        lambda: prune.TopKAST(sparsity="0.8", backward="0.5"), from_step(0, "0.8")
    ),
    "powerpropagation": Promise(lambda: prune.Powerpropagation(2.0), from_step(0, 0)),
    "SR-STE": Promise(lambda: prune.StraightThrough(keep=1, group=3)),
    "ADMM": Promise(
        lambda: prune.ADMM(sparsity="0.7", end=8, frequency=2, scope="layer"),
        from_step(8, "0.7"),
    ),
    "edge-popup": Promise(lambda: prune.EdgePopup(sparsity="0.5"), from_step(0, "0.5")),
    "powerpropagation with gradual": Promise(
        lambda: (
            prune.Gradual("magnitude", sparsity="0.8", end=8, frequency=1),
            prune.Powerpropagation(2.0),
        ),
        ramp("0.8", 8),
        scope="network",
    ),
    "SET": Promise(
        lambda: (sparse(), prune.SET(frequency=3)),
        from_step(0, "0.7"),
        scope="network",
        regrows=True,
    ),
    "RigL": Promise(
        lambda: (sparse(), prune.RigL(frequency=2)),
        from_step(0, "0.7"),
        scope="network",
        regrows=True,
    ),
    "SNFS": Promise(
        lambda: (sparse(), prune.SNFS(frequency=3, memory=2)),
        from_step(0, "0.7"),
        scope="network",
        regrows=True,
    ),
    "Deep R": Promise(
        lambda: (sparse(), prune.DeepR(pull=10.0, temperature=1e-2)),
        from_step(0, "0.7"),
        scope="network",
        regrows=True,
    ),
    "random, ERK": Promise(sparse, from_step(0, "0.7"), scope="network"),
    "SNIP": Promise(
        lambda: prune.OneShot("snip", sparsity="0.8"),
        from_step(0, "0.8"),
        scope="network",
    ),
    "GraSP": Promise(
        lambda: prune.OneShot("grasp_official", sparsity="0.8"),
        from_step(0, "0.8"),
        scope="network",
    ),
    "SynFlow": Promise(
        lambda: prune.synflow("0.8", rounds=5), from_step(0, "0.8"), scope="network"
    ),
    "FORCE": Promise(
        lambda: prune.force("0.8", rounds=3), from_step(0, "0.8"), scope="network"
    ),
    "iterative SNIP": Promise(
        lambda: prune.iterative_snip("0.8", rounds=3),
        from_step(0, "0.8"),
        scope="network",
    ),
    "adaptive threshold": Promise(
        lambda: prune.Adaptive(masks.AdaptiveThreshold(0.5, factor=1.5), frequency=2)
    ),
}
