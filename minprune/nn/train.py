"""The one training loop.

Every draw is from a stream named by what it is for (`minprune._random.stream`), so an
epoch can be repeated from its number alone.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray, positive_int
from minprune._random import stream
from minprune.data import Dataset, Split, batches
from minprune.nn.checkpoint import Checkpoint, interruptible
from minprune.nn.layer import Mode, Shape
from minprune.nn.loss import Loss, cross_entropy, mean_squared_error
from minprune.nn.network import BATCH, Network
from minprune.nn.optim import Adam, Optimizer
from minprune.nn.rates import Rate, constant
from minprune.nn.run import Epoch, Procedure, Reparameterization, Run

__all__ = [
    "Epoch",
    "Procedure",
    "Reparameterization",
    "Run",
    "check_fit",
    "default_loss",
    "evaluate",
    "joined_batches",
    "train",
]

Augment = Callable[[Network, FloatArray, AnyArray, Loss, Mode], FloatArray]
"""A data step: (network, columns, targets, loss, mode) -> columns to train on."""


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
    augment: Augment | None = None,
    patience: int | None = None,
    best: bool = False,
    checkpoint: Checkpoint | None = None,
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
    augment : callable, optional
        Changes the samples of each batch before they are learned from, such as `FGSM`.
    patience : int, optional
        Stop when this many epochs have passed since the best one.
    best : bool
        End with the weights of the best epoch: that of the least validation loss, among
        the epochs that end at the highest sparsity reached, so that pruning is not
        undone.
    checkpoint : Checkpoint, optional
        Save the run while it goes, and go on with it if the file is there. `net` has to
        be what it was when the run first began.
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
        If network and data do not fit, or the checkpoint is of another run.
    FloatingPointError
        If the loss or a gradient is not finite, naming the step and the layer.
    KeyboardInterrupt
        On Ctrl-C, after the step has been finished and, with a checkpoint, saved.
    """
    epochs = positive_int("train", "epochs", epochs, minimum=0)
    if patience is not None:
        positive_int("train", "patience", patience)
    check_fit(net, data)
    plan = joined_batches(len(data.train), batch_size, None)
    run = Run(
        net,
        data,
        (Adam() if optimizer is None else optimizer).fresh(),
        default_loss(data) if loss is None else loss,
        seed,
        epochs,
        len(plan),
        batch_size,
    )
    for procedure in procedures:
        procedure.begin(run)
    if checkpoint is not None:
        checkpoint.resume(run, procedures)
    with interruptible() as interrupt:
        while run.epoch < epochs and not _out_of_patience(run.history, patience):
            for rows in _rest_of_epoch(run, batch_size):
                run.loss_sum += _step(run, rows, rate, procedures, augment) * len(rows)
                due = checkpoint is not None and checkpoint.due(run)
                if checkpoint is not None and (due or interrupt.is_set()):
                    checkpoint.save(run, procedures)
                if interrupt.is_set():
                    raise KeyboardInterrupt
            for procedure in procedures:
                procedure.end_epoch(run)
            _finish_epoch(run, best)
            if progress is not None:
                progress(run.history[-1])
        if checkpoint is not None:
            checkpoint.save(run, procedures)
    for procedure in procedures:
        procedure.end(run)
    if run.best:
        net.restore(run.best)
    return run.history


def _rest_of_epoch(run: Run, batch_size: int) -> list[IntArray]:
    """The batches of this epoch that have not been learned from yet."""
    shuffle = stream(run.seed, "shuffle", run.epoch)
    whole = joined_batches(len(run.data.train), batch_size, shuffle)
    return whole[run.step - run.epoch * run.steps_per_epoch :]


def _rank(epoch: Epoch) -> tuple[float, float]:
    """Smaller is better: first more sparsity, then less validation loss."""
    return -epoch.sparsity, epoch.val_loss


def _out_of_patience(history: Sequence[Epoch], patience: int | None) -> bool:
    """Whether the best epoch lies too far back."""
    if patience is None or not history:
        return False
    return len(history) - 1 - min(history, key=_rank).epoch >= patience


def _finish_epoch(run: Run, keep_best: bool) -> None:
    """Evaluate, write the line of the history, and turn the page."""
    mean = run.loss_sum / max(len(run.data.train), 1)
    run.history.append(_summary(run, mean))
    if keep_best and min(run.history, key=_rank) is run.history[-1]:
        run.best = {name: array.copy() for name, array in run.net.state().items()}
    run.epoch, run.loss_sum = run.epoch + 1, 0.0


def joined_batches(
    n: int, batch_size: int, rng: np.random.Generator | None
) -> list[IntArray]:
    """`batches`, with a last batch of one sample joined to the one before it."""
    parts = list(batches(n, batch_size, rng))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [np.concatenate(parts[-2:])]
    return parts


class Shaped(Protocol):
    """Whatever says which samples it takes and how many outputs it gives."""

    @property
    def input_shape(self) -> Shape:
        """Of one raw sample."""
        ...

    @property
    def output_shape(self) -> Shape:
        """Of its answer."""
        ...


def check_fit(net: Shaped, data: Dataset) -> None:
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
    run: Run,
    rows: IntArray,
    rate: Rate,
    procedures: Sequence[Procedure],
    augment: Augment | None,
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
    x, target = net.enter(split.x[rows]), split.y[rows]
    if augment is not None:
        x = augment(net, x, target, run.loss, mode)
    value, gradient = run.loss(net.forward(x, mode), target)
    net.learn(gradient)
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
    run.rate = rate(run.step, run.steps)
    run.optimizer.step(params, grads, run.rate)
    for _, layer in net.root.walk():
        layer.apply_masks()
    run.step += 1
    for procedure in procedures:
        procedure.after_step(run)
    return value


def _all_finite(run: Run, loss: float, grads: dict[str, FloatArray]) -> None:
    """Stop a run that has left the numbers, saying where."""
    where = "" if np.isfinite(loss) else "loss"
    with np.errstate(over="ignore", invalid="ignore"):
        for name, grad in grads.items():
            # One sum tells in half the time that all is well; it may also overflow.
            if not (where or np.isfinite(grad.sum()) or np.isfinite(grad).all()):
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
