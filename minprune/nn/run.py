"""A training run as procedures see it, and the hooks by which they take part in it."""

from dataclasses import dataclass, field
from typing import Protocol

from minprune._check import AnyArray, FloatArray
from minprune.data import Dataset
from minprune.nn.loss import Loss
from minprune.nn.network import Network
from minprune.nn.optim import Optimizer


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of a history."""

    epoch: int
    train_loss: float
    val_loss: float
    val_score: float
    """Accuracy, or root mean square error for regression."""
    sparsity: float


@dataclass
class Run:
    """What procedures see of a training run, and may change between steps."""

    net: Network
    data: Dataset
    optimizer: Optimizer
    loss: Loss
    seed: int
    epochs: int
    steps_per_epoch: int
    batch_size: int = 0
    step: int = 0
    epoch: int = 0
    reparameterized: dict[str, "Reparameterization"] = field(default_factory=dict)
    """By dotted weight name: what is trained in the place of that weight."""
    history: list[Epoch] = field(default_factory=list)
    loss_sum: float = 0.0
    """Sum of the losses of the samples of this epoch so far."""
    rate: float = 1.0
    """Factor of the optimizer's learning rate in the last step."""
    best: dict[str, AnyArray] = field(default_factory=dict)
    """State of the network after the best epoch, where it is asked for."""
    start: str = ""
    """By what a checkpoint knows the network that the run began with."""

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch


class Procedure:
    """A way to train with pruning: hooks into the loop, all doing nothing here.

    `begin` and `end` frame the run; `before_step` comes before a batch goes forward,
    `after_backward` when gradients are there and before the optimizer, `after_step`
    when weights have moved, `end_epoch` before the epoch is evaluated. `state` and
    `restore` carry whatever a procedure remembers through a checkpoint.
    """

    def begin(self, run: Run) -> None:
        """Before the first step."""

    def before_step(self, run: Run) -> None:
        """Before a batch goes forward."""

    def after_backward(self, run: Run) -> None:
        """When the gradients of the batch are in the layers."""

    def after_step(self, run: Run) -> None:
        """When the optimizer has moved the weights."""

    def end_epoch(self, run: Run) -> None:
        """After the last step of an epoch, before it is evaluated."""

    def end(self, run: Run) -> None:
        """After the last step."""

    def state(self) -> dict[str, AnyArray]:
        """What has to survive a kill, as named arrays."""
        return {}

    def restore(self, arrays: dict[str, AnyArray]) -> None:
        """Take back what `state` gave."""


class Reparameterization(Protocol):
    """A weight that is a function of what is really trained."""

    thetas: dict[str, FloatArray]

    def effective(self) -> FloatArray:
        """The weight the network computes with."""
        ...

    def pullback(self, grad: FloatArray) -> dict[str, FloatArray]:
        """The gradient of each theta, from the gradient of the weight."""
        ...
