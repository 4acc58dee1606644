"""A toolkit behind a pipe, seen as if it were here; `worker.py` has the protocol.

Whatever the other process does, this one goes on: a worker that hangs is ended after
the time allowed for a check, one that crashed or sent rubbish is started afresh for the
next check, and each of these is a finding.
"""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from minprune.conformance import worker
from minprune.conformance.adapter import Toolkit, Unsupported
from minprune.conformance.load import address
from minprune.conformance.registry import Broken, Raised

TIMEOUT = 60.0  # seconds for the calls of one check
START = 300.0  # seconds for importing a toolkit, which may be large and the disk cold
ABOUT = {"name", "version", "environment"}  # what a worker says of itself
TAIL = 1500  # characters of stderr that a message repeats


class Isolated(Toolkit):
    """An adapter that lives in another interpreter.

    Parameters
    ----------
    adapter : str
        As for `load.adapter`: the name of a shipped one, or ``pkg.mod:Class``, which
        the other interpreter must be able to import.
    python : str
        The interpreter; it needs NumPy and the toolkit.
    timeout : float
        Seconds for all calls of one check.
    start : float
        Seconds for starting the interpreter and importing the toolkit.

    Raises
    ------
    ValueError
        If the interpreter does not start, or refuses to make the adapter.
    """

    def __init__(
        self,
        adapter: str,
        python: str,
        *,
        timeout: float = TIMEOUT,
        start: float = START,
    ) -> None:
        self.name, self.version = adapter, "unknown"
        self._adapter, self._python = address(adapter), python
        self._timeout, self._start = timeout, start
        self._worker: _Worker | None = None
        self._never_started = ""
        try:
            self._begin_worker()
        except Broken as why:
            self._never_started = str(why)
        self._until = time.monotonic() + timeout

    def begin(self) -> None:
        """Start the clock of a check, and a worker if there is none."""
        if self._never_started:
            raise Broken(self._never_started)
        if self._worker is None:
            self._begin_worker()
        self._until = time.monotonic() + self._timeout
        self._ask("begin", (), {})

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def __enter__(self) -> "Isolated":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _begin_worker(self) -> None:
        """Start, and hear who it is."""
        self._worker = _Worker(self._python, self._adapter)
        hello, _ = self._exchange(None, self._start, "its start")
        if "refused" in hello:
            self.close()
            raise ValueError(
                f"conformance: the adapter {self._adapter!r} cannot be made by "
                f"{self._python}: {hello['refused']}"
            )
        if hello.get("hello") != 1 or not hello.keys() >= ABOUT:
            self.close()
            raise Broken(f"the worker speaks another protocol: {hello}")
        self.name, self.version = str(hello["name"]), str(hello["version"])
        self.environment = str(hello["environment"])

    def _exchange(
        self, message: Any, seconds: float, what: str
    ) -> tuple[dict[str, Any], bytes]:
        """One message there and one back; whatever else happens is `Broken`."""
        if self._worker is None:
            raise Broken(f"the worker was ended before {what}")
        try:
            return self._worker.exchange(message, seconds, what)
        except Broken:
            self.close()
            raise

    def _ask(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """A call there, and its answer here."""
        message = {"call": name, "arguments": list(arguments), "named": named}
        seconds = self._until - time.monotonic()
        found, data = self._exchange(message, seconds, name)
        try:
            if "unsupported" in found:
                raise Unsupported(str(found["unsupported"]))
            if "raised" in found:
                raise Raised(str(found["raised"]))
            if "changed" in found:
                _write_back(list(arguments), worker.decode(found["changed"], data))
            return worker.decode(found["answer"], data)
        except (KeyError, ValueError) as why:
            self.close()
            raise Broken(f"the worker answered {name} with rubbish: {why}") from why


def _asked(name: str) -> Any:
    """A capability that asks the worker."""

    def capability(self: Isolated, *arguments: Any, **named: Any) -> Any:
        return self._ask(name, arguments, named)

    capability.__name__ = name
    capability.__doc__ = f"See `Toolkit.{name}`."
    return capability


CAPABILITIES = [
    name
    for name, value in vars(Toolkit).items()
    if callable(value) and not name.startswith("_") and name != "begin"
]
for _name in CAPABILITIES:
    setattr(Isolated, _name, _asked(_name))


def _write_back(here: Any, there: Any) -> None:
    """Change arguments in place as the call over there changed its copies."""
    if isinstance(here, np.ndarray):
        if isinstance(there, np.ndarray) and there.shape == here.shape:
            here[...] = there
    elif isinstance(here, Mapping):
        for key in here:
            _write_back(here[key], there.get(key))
    elif isinstance(here, list | tuple):
        for one, other in zip(here, there, strict=False):
            _write_back(one, other)


class _Worker:
    """The process, and one exchange at a time."""

    def __init__(self, python: str, adapter: str) -> None:
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `end`)
        try:
            self.process = subprocess.Popen(
                [python, "-u", os.path.abspath(worker.__file__), adapter],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.stderr,
                start_new_session=True,
            )
        except OSError as why:
            self.stderr.close()
            raise ValueError(
                f"conformance: the interpreter {python!r} does not start: {why}"
            ) from why

    def exchange(
        self, message: Any, seconds: float, what: str
    ) -> tuple[dict[str, Any], bytes]:
        """Send, if there is a message, and read; a timer ends a process that hangs."""
        requests, answers = self.process.stdin, self.process.stdout
        if requests is None or answers is None:
            raise Broken("the worker has no pipes")
        late = threading.Event()

        def end() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(max(seconds, 0.0), end)
        timer.start()
        frame, fault = None, ""
        try:
            if message is not None:
                worker.write(requests, message)
            frame = worker.read(answers)
        except (OSError, ValueError) as why:
            fault = str(why)
        finally:
            timer.cancel()
        if late.is_set():
            raise Broken(f"no answer to {what} within the time of a check")
        if frame is not None:
            return frame
        if fault and self.process.poll() is None:
            raise Broken(f"the worker answered {what} with rubbish: {fault}")
        raise Broken(f"the worker {self._ending()} during {what}{self._last_words()}")

    def kill(self) -> None:
        """End the process and what it started."""
        if hasattr(os, "killpg"):
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
        else:
            self.process.kill()

    def end(self) -> None:
        """Kill, and let go of the pipes."""
        if self.process.poll() is None:
            self.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.stderr):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:  # a frame that was never read
                    continue

    def _ending(self) -> str:
        """How the process ended."""
        try:
            status = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "closed its pipe"
        if status < 0:
            return f"was ended by signal {-status}"
        return f"ended with exit status {status}"

    def _last_words(self) -> str:
        """The end of what it wrote to stderr."""
        size = self.stderr.seek(0, os.SEEK_END)
        self.stderr.seek(max(0, size - TAIL))
        text = self.stderr.read().decode(errors="replace").strip()
        return f"; its last words:\n{text}" if text else ""
