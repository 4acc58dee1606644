"""Fetching one file of known size and checksum, so that a bad line cannot spoil it.

The bytes go to ``NAME.part`` beside the target. Whatever cuts the transfer, the part
stays and the next attempt, in this run or a later one, goes on where it ended. Only a
part whose checksum is right is given the name, in one step.
"""

import contextlib
import http.client
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from minprune._check import positive_int
from minprune.data.known import KnownFile
from minprune.files.atomic import explained

TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as stalled."""

ATTEMPTS = 5
"""Attempts per address, each going on where the one before ended."""

CHUNK = 1 << 16


class _Failed(Exception):
    """One attempt failed; the text says how."""


def fetch(
    urls: Sequence[str],
    target: Path,
    file: KnownFile,
    *,
    timeout: float = TIMEOUT,
    attempts: int = ATTEMPTS,
) -> Path:
    """Download `file` to `target` from the first of `urls` that gives it.

    Parameters
    ----------
    urls : sequence of str
        Addresses of the same file (http or https), tried in order.
    target : Path
        Where it goes. A file that is there already is replaced only by a good one.
    file : KnownFile
        Size, which is also the limit of what is taken, and checksum.
    timeout : float
        Seconds to wait for the next bytes.
    attempts : int
        How often an address may fail before the next one is tried.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    ConnectionError
        If no address gave the file; says what happened at each. What has arrived stays
        in the ``.part`` file.
    OSError
        If the file cannot be written, with the reason.
    """
    attempts = positive_int("fetch", "attempts", attempts)
    part = target.with_name(target.name + ".part")
    failures = []
    for url in urls:
        for _ in range(attempts):
            try:
                _continue(url, part, file, timeout)
                os.replace(part, target)
            except _Failed as why:
                last = str(why)
            except OSError as error:
                raise explained(error, f"{target} was not written") from error
            else:
                return target
        failures.append(f"{url} {last}")
    kept = _size(part)
    again = f"; {kept} bytes are kept, run again to go on" if kept else ""
    raise ConnectionError(
        f"{file.name} was not downloaded: {'; '.join(failures)}{again}"
    )


def _continue(url: str, part: Path, file: KnownFile, timeout: float) -> None:
    """Add to `part` what is missing; return only when it is the right file."""
    have = _size(part)
    if have < file.size:
        _receive(url, part, have, file, timeout)
    if not file.is_at(part):
        part.unlink()
        raise _Failed("sent other bytes than published (checksum differs)")


def _receive(url: str, part: Path, have: int, file: KnownFile, timeout: float) -> None:
    """Append the bytes from `have` on, or begin again if the server will not resume."""
    with _ask(url, part, have, timeout) as response:
        resumed = response.status == 206
        start = response.headers.get("Content-Range", "")
        if resumed and not start.startswith(f"bytes {have}-"):
            raise _Failed(f"resumed at {start!r} instead of byte {have}")
        with part.open("ab" if resumed else "wb") as out:
            while chunk := _next(response, out.tell(), file.size):
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
    got = _size(part)
    if got > file.size:
        part.unlink()
        raise _Failed(f"sends more than the {file.size} bytes published")
    if got < file.size:
        raise _Failed(f"ended after {got} of {file.size} bytes")


def _ask(url: str, part: Path, have: int, timeout: float) -> http.client.HTTPResponse:
    """The server's answer, good or partial; anything else has failed."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise _Failed("is not an http address")
    request = urllib.request.Request(url, headers={"User-Agent": "minprune"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(
            request, timeout=timeout
        )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # the file there ends before our part does
            part.unlink(missing_ok=True)
        raise _Failed(f"answered {error.code} ({_reason(error)})") from None
    except (OSError, http.client.HTTPException) as error:
        raise _Failed(f"cannot be reached ({_reason(error)})") from None
    return response


def _next(response: http.client.HTTPResponse, have: int, size: int) -> bytes:
    """The next bytes; none at the end, and none once there are more than `size`."""
    if have > size:
        return b""
    try:
        return response.read1(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Failed(
            f"stopped after {have} of {size} bytes ({_reason(error)})"
        ) from None


def _size(path: Path) -> int:
    """Bytes in a file; 0 if there is none."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _reason(error: BaseException) -> str:
    """The innermost reason of a network error, in one line."""
    reason = getattr(error, "reason", None) or error
    text = str(reason).partition("\n")[0]
    return text or type(reason).__name__
