"""Checkpoints: a run that was killed goes on, and ends in the bits it would have had.

A checkpoint holds all that a step depends on and that cannot be derived again: the
network's arrays, the optimizer's, those of the procedures, the step, the history.
Random streams are derived from the seed and the step, so none is stored. One file,
written whole or not at all; whoever is killed while writing finds the one before.
"""

import hashlib
import json
import os
import signal
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from minprune._check import AnyArray, positive_int
from minprune.files import container
from minprune.nn.run import Epoch, Procedure, Run

FORMAT = 1
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What decides on the threads of BLAS, and thereby on the last bits of a product."""


@dataclass(frozen=True)
class Checkpoint:
    """Where a run saves itself, and how often.

    Parameters
    ----------
    path : str or path
        A run that finds this file goes on from it.
    every : int
        Steps from one save to the next; the end of the run is saved too.
    note : str
        What the run is, in the caller's words; a file that says otherwise is refused.
    """

    path: str | os.PathLike[str]
    every: int = 100
    note: str = ""

    def __post_init__(self) -> None:
        positive_int("Checkpoint", "every", self.every)

    def part(self, name: str) -> "Checkpoint":
        """Where one training of several saves itself: a file of its own beside this.

        >>> print(Checkpoint("run.ckpt").part("round3").path)
        run.round3.ckpt
        """
        path = Path(self.path)
        return replace(self, path=path.with_name(f"{path.stem}.{name}{path.suffix}"))

    def due(self, run: Run) -> bool:
        """Whether this step is to be saved."""
        return run.step % self.every == 0

    def save(self, run: Run, procedures: Sequence[Procedure]) -> None:
        """Write the run as it stands between two steps."""
        tensors = _prefixed("net", run.net.state()) | _prefixed("best", run.best)
        tensors |= _prefixed("optimizer", run.optimizer.state())
        for index, procedure in enumerate(procedures):
            tensors |= _prefixed(f"procedure{index}", procedure.state())
        facts = {
            "format": FORMAT,
            "identity": self._identity(run, procedures),
            "threads": _threads(),
            "step": run.step,
            "epoch": run.epoch,
            "loss_sum": run.loss_sum,
            "history": [asdict(epoch) for epoch in run.history],
        }
        container.write(self.path, tensors, {"run": json.dumps(facts)})

    def resume(self, run: Run, procedures: Sequence[Procedure]) -> bool:
        """Bring a run that has begun to where the file stands; False if there is none.

        Raises
        ------
        ValueError
            If the file is damaged, or was written by a run with another seed, other
            lengths, other procedures, or another network to begin with.
        """
        run.start = _fingerprint(run.net.state())
        if not Path(self.path).exists():
            return False
        tensors, metadata = container.read(self.path)
        try:
            facts = json.loads(metadata["run"])
            known, asked = facts["identity"], self._identity(run, procedures)
            for key, value in asked.items():
                if known.get(key) != value:
                    raise ValueError(
                        f"it was written by a run with {key} {known.get(key)!r}, but "
                        f"this run has {value!r}; repeat that run, or name another file"
                    )
            run.net.restore(_under("net", tensors))
            run.optimizer.restore(_under("optimizer", tensors))
            for index, procedure in enumerate(procedures):
                procedure.restore(_under(f"procedure{index}", tensors))
            run.best = _under("best", tensors)
            run.step, run.epoch = int(facts["step"]), int(facts["epoch"])
            run.loss_sum = float(facts["loss_sum"])
            run.history[:] = [Epoch(**line) for line in facts["history"]]
        except (KeyError, TypeError, AttributeError, RecursionError) as why:
            raise ValueError(
                f"{self.path}: no checkpoint of a run, or a damaged one ({why!r})"
            ) from why
        except ValueError as why:
            raise ValueError(f"{self.path}: {why}") from why
        if facts.get("threads") != _threads():
            warnings.warn(
                f"{self.path}: written with {facts.get('threads')}, read with "
                f"{_threads()}; BLAS may round differently, so the last bits may "
                f"differ from those of the run that was not stopped",
                stacklevel=2,
            )
        return True

    def _identity(self, run: Run, procedures: Sequence[Procedure]) -> dict[str, Any]:
        """What two runs must share for one to go on with the other's state."""
        return {
            "note": self.note,
            "seed": run.seed,
            "epochs": run.epochs,
            "batch_size": run.batch_size,
            "samples": len(run.data.train),
            "optimizer": repr(run.optimizer),
            "procedures": [type(procedure).__name__ for procedure in procedures],
            "network": run.start,
        }


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event, to be looked at between two steps.

    A second one interrupts at once. Outside the main thread, where Python delivers no
    signals, nothing changes.
    """
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if (
        threading.current_thread() is not threading.main_thread()
        or before is not signal.default_int_handler
    ):
        yield asked
        return

    def note(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            signal.default_int_handler(number, frame)
        asked.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def each(training: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Keyword arguments for one training of several, with a checkpoint of its own."""
    own = dict(training)
    if own.get("checkpoint") is not None:
        own["checkpoint"] = own["checkpoint"].part(name)
    return own


def _fingerprint(arrays: Mapping[str, AnyArray]) -> str:
    """A few letters that tell these arrays from others."""
    seen = hashlib.sha256()
    for name, array in arrays.items():
        seen.update(f"{name} {array.dtype} {array.shape};".encode())
        seen.update(np.ascontiguousarray(array).tobytes())
    return seen.hexdigest()[:16]


def _threads() -> dict[str, Any]:
    """What the number of BLAS threads depends on."""
    chosen: dict[str, Any] = {name: os.environ.get(name) for name in THREADS}
    return chosen | {"processors": os.cpu_count()}


def _prefixed(prefix: str, arrays: dict[str, AnyArray]) -> dict[str, AnyArray]:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def _under(prefix: str, tensors: dict[str, AnyArray]) -> dict[str, AnyArray]:
    start = f"{prefix}/"
    return {
        name[len(start) :]: array
        for name, array in tensors.items()
        if name.startswith(start)
    }
