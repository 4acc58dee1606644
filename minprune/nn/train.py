"""The one training loop, and the hooks by which procedures take part in it.

Every draw is from a stream named by what it is for (`minprune._random.stream`), so an
epoch can be repeated from its number alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray, positive_int
from minprune._random import stream
from minprune.data import Dataset, Split, batches
from minprune.nn.layer import Mode
from minprune.nn.loss import Loss, cross_entropy, mean_squared_error
from minprune.nn.network import BATCH, Network
from minprune.nn.optim import Adam, Optimizer
from minprune.nn.rates import Rate, constant


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
    step: int = 0
    epoch: int = 0
    reparameterized: dict[str, "Reparameterization"] = field(default_factory=dict)
    """By dotted weight name: what is trained in the place of that weight."""
    history: list[Epoch] = field(default_factory=list)

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


def default_loss(data: Dataset) -> Loss:
    """Cross-entropy for classes, mean squared error for numbers."""
    if data.task == "classification":
        return cross_entropy
    return mean_squared_error


def evaluate(net: Network, split: Split, loss: Loss) -> tuple[float, float]:
    """(mean loss, score) of a split: the score is accuracy, or RMSE for numbers.

    Returns
    -------
    loss : float
        Mean over the samples, in the units of `loss`.
    score : float
        Share of right labels for integer targets; root mean square error otherwise.
    """
    total, right = 0.0, 0.0
    for rows in batches(len(split), BATCH):
        lengths = None if split.lengths is None else split.lengths[rows]
        output = net(split.x[rows], lengths)
        target = split.y[rows]
        value, _ = loss(np.moveaxis(output, 0, -1), target)
        total += value * len(rows)
        if target.dtype.kind in "iu":
            right += float((output.argmax(axis=1) == target).sum())
        else:
            right += float(((output - target) ** 2).mean(axis=-1).sum())
    count = max(len(split), 1)
    score = right / count
    return total / count, score if split.y.dtype.kind in "iu" else float(np.sqrt(score))


def train(
    net: Network,
    data: Dataset,
    *,
    epochs: int,
    batch_size: int = 64,
    optimizer: Optimizer | None = None,
    rate: Rate = constant,
    loss: Loss | None = None,
    procedures: Sequence[Procedure] = (),
    seed: int = 0,
    progress: Callable[[Epoch], Any] | None = None,
) -> list[Epoch]:
    """Train a network in place on the training split.

    Parameters
    ----------
    net : Network
        Trained in place. Where a layer has a mask, or stores only some weights, only
        what is kept is trained.
    data : Dataset
        `data.train` is learned from; `data.val` is evaluated after every epoch.
    epochs : int
        Passes over the training split; 0 leaves the network as it is.
    batch_size : int
        Samples a step. A last batch of one sample joins the batch before it, since a
        batch statistic needs two.
    optimizer : Optimizer, optional
        Its hyperparameters are used, starting with nothing remembered. ``Adam(1e-3)``
        when left out.
    rate : callable
        Factor of the learning rate by (step, total); see `minprune.nn.rates`.
    loss : callable, optional
        Left out: cross-entropy for classes, mean squared error for numbers.
    procedures : sequence of Procedure
        Pruning that takes part in the training, in this order at every hook.
    seed : int
        Names the streams for shuffling and dropout. The same seed gives the same bits
        on the same machine with the same number of BLAS threads.
    progress : callable, optional
        Called with each finished `Epoch`.

    Returns
    -------
    history : list of Epoch

    Raises
    ------
    ValueError
        If network and data do not fit.
    FloatingPointError
        If the loss or a gradient is not finite, naming the step and the layer.
    """
    epochs = positive_int("train", "epochs", epochs, minimum=0)
    check_fit(net, data)
    plan = [len(rows) for rows in joined_batches(len(data.train), batch_size, None)]
    run = Run(
        net,
        data,
        (Adam() if optimizer is None else optimizer).fresh(),
        default_loss(data) if loss is None else loss,
        seed,
        epochs,
        len(plan),
    )
    for procedure in procedures:
        procedure.begin(run)
    for run.epoch in range(epochs):
        shuffle = stream(seed, "shuffle", run.epoch)
        total = 0.0
        for rows in joined_batches(len(data.train), batch_size, shuffle):
            total += _step(run, rows, rate, procedures) * len(rows)
        for procedure in procedures:
            procedure.end_epoch(run)
        run.history.append(_summary(run, total / max(len(data.train), 1)))
        if progress is not None:
            progress(run.history[-1])
    for procedure in procedures:
        procedure.end(run)
    return run.history


def joined_batches(
    n: int, batch_size: int, rng: np.random.Generator | None
) -> list[IntArray]:
    """`batches`, with a last batch of one sample joined to the one before it."""
    parts = list(batches(n, batch_size, rng))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [np.concatenate(parts[-2:])]
    return parts


def check_fit(net: Network, data: Dataset) -> None:
    """Raise ValueError unless samples and targets fit the network."""
    if int(np.prod(net.input_shape)) != int(np.prod(data.input_shape)):
        raise ValueError(
            f"train: the network takes samples of shape {net.input_shape} but "
            f"{data.name} has samples of shape {data.input_shape}; build the model for "
            f"this data"
        )
    if net.output_shape != (data.outputs,):
        raise ValueError(
            f"train: the network returns {net.output_shape} numbers a sample but "
            f"{data.name} has {data.outputs} outputs; build the model for this data"
        )


def _step(
    run: Run, rows: IntArray, rate: Rate, procedures: Sequence[Procedure]
) -> float:
    """One batch forward, backward and one move of the weights; returns its loss."""
    net, split = run.net, run.data.train
    for procedure in procedures:
        procedure.before_step(run)
    params = net.parameters()
    for name, source in run.reparameterized.items():
        params[name][...] = source.effective()

    lengths = None if split.lengths is None else split.lengths[rows]
    mode = Mode(True, stream(run.seed, "dropout", run.step), lengths)
    output = net.forward(net.enter(split.x[rows]), mode)
    value, gradient = run.loss(output, split.y[rows])
    net.backward(gradient)
    for procedure in procedures:
        procedure.after_backward(run)

    for _, layer in net.root.walk():
        layer.mask_grads()
    grads = net.gradients()
    _all_finite(run, value, grads)
    for name, source in run.reparameterized.items():
        pulled = source.pullback(grads.pop(name))
        params |= {f"{name}:{key}": theta for key, theta in source.thetas.items()}
        grads |= {f"{name}:{key}": grad for key, grad in pulled.items()}
    run.optimizer.step(params, grads, rate(run.step, run.steps))
    for _, layer in net.root.walk():
        layer.apply_masks()
    run.step += 1
    for procedure in procedures:
        procedure.after_step(run)
    return value


def _all_finite(run: Run, loss: float, grads: dict[str, FloatArray]) -> None:
    """Stop a run that has left the numbers, saying where."""
    where = "loss" if not np.isfinite(loss) else ""
    for name, grad in grads.items():
        if not where and not np.isfinite(grad).all():
            where = f"gradient of {name}"
    if where:
        raise FloatingPointError(
            f"train: the {where} is not finite at step {run.step} (epoch {run.epoch}); "
            f"lower the learning rate ({run.optimizer.lr}) or check the data's scale"
        )


def _summary(run: Run, train_loss: float) -> Epoch:
    """The finished epoch, evaluated on the validation split."""
    val_loss, val_score = evaluate(run.net, run.data.val, run.loss)
    masks = run.net.masks().values()
    size = sum(mask.size for mask in masks)
    kept = sum(int(mask.sum()) for mask in masks)
    sparsity = 1 - kept / size if size else 0.0
    return Epoch(run.epoch, train_loss, val_loss, val_score, sparsity)
