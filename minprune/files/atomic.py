"""Writing a file so that it is either all there or not there at all.

Whatever goes wrong, a full disk, Ctrl-C, a folder that cannot be written, the file that
had the name before keeps its bytes, and nothing else is left lying beside it. Only who
is killed outright, or loses power, leaves a temporary file, ``.*.tmp``; the next write
of the same name takes it away.
"""

import contextlib
import errno
import os
import secrets
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

AnyPath = str | os.PathLike[str]

REMEDIES = {
    errno.ENOSPC: "the disk is full; make room and write again",
    errno.EDQUOT: "the disk quota is used up; make room and write again",
    errno.EFBIG: "the file would be larger than this process may write",
    errno.EROFS: "the file system can only be read; name a place elsewhere",
    errno.EACCES: "no permission; change the permissions or name another place",
    errno.EPERM: "no permission; change the permissions or name another place",
    errno.ENOENT: "there is no such file or folder; check the name",
    errno.EEXIST: "there is something else of this name; choose another",
    errno.ENOTDIR: "a part of the path is a file, not a folder; check the name",
    errno.EISDIR: "this is a folder; name a file",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


def atomic_write(path: AnyPath, write_to_file: Callable[[BinaryIO], None]) -> None:
    """Let `write_to_file` fill a temporary file, then give it the name `path`.

    Parameters
    ----------
    path : str or path
        The file to create or replace; of a symbolic link, what it points to.
    write_to_file : callable
        Given the open binary file; may write in any number of pieces.

    Raises
    ------
    OSError
        Of the class the system gave (PermissionError, FileNotFoundError, ...), with one
        line that names the file, the fault and the remedy.

    Notes
    -----
    The temporary file lies in the same folder, because a rename is atomic only within
    one file system. It is flushed to the disk before the rename: otherwise a power cut
    could leave the new name on an empty file. Any exception, KeyboardInterrupt
    included, removes it and passes on. While it is written it is locked, and a lock
    goes with its process: a temporary file that nobody holds is what a killed process
    left of an earlier write, and is removed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atomic_write(folder + "/a.txt", lambda file: file.write(b"all or nothing"))
    ...     Path(folder, "a.txt").read_bytes()
    b'all or nothing'
    """
    with _pending(path, write_to_file):
        pass  # nothing else has to go well first


def write_text(path: AnyPath, text: str) -> None:
    """Write a text file atomically, in UTF-8; raises as `atomic_write` does."""
    write_texts({Path(path): text})


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write text files as one: none gets its name before all are filled.

    Raises as `atomic_write` does; every file is what it was then.
    """
    with contextlib.ExitStack() as stack:
        for path, text in texts.items():
            stack.enter_context(_pending(path, partial(_fill, text)))


def _fill(text: str, file: BinaryIO) -> None:
    """Write a text in UTF-8."""
    file.write(text.encode())


@contextlib.contextmanager
def _pending(
    path: AnyPath, write_to_file: Callable[[BinaryIO], None]
) -> Iterator[None]:
    """A filled file that gets its name at the end, or goes if anything fails before."""
    target = Path(os.path.realpath(path))
    ours = f".{zlib.crc32(os.fsencode(target.name)):08x}-"
    temporary = target.with_name(f"{ours}{secrets.token_hex(8)}.tmp")
    try:
        with _explained(path):
            if target.is_dir():  # said now: to rename is the last of all
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if target.exists() and not target.is_file():  # a device, which would go
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            _remove_stale(target.parent, ours)
            with open(temporary, "xb") as file:
                _lock(file)
                write_to_file(file)
                file.flush()
                os.fsync(file.fileno())
        yield
        with _explained(path):
            if target.exists():
                temporary.chmod(target.stat().st_mode & 0o7777)
            temporary.replace(target)
            _flush_folder(target.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


@contextlib.contextmanager
def _explained(path: AnyPath) -> Iterator[None]:
    """What fails inside is told as a file that was not written."""
    try:
        yield
    except OSError as error:
        raise explained(error, f"{os.fspath(path)} was not written") from error


def explained(error: OSError, what: str) -> OSError:
    """An error of the same class and number whose text is one line with a remedy."""
    reason = error.strerror or str(error)
    remedy = REMEDIES.get(error.errno or 0)
    clear = type(error)(f"{what}: {remedy or reason}")
    clear.errno = error.errno
    return clear


def _remove_stale(folder: Path, ours: str) -> None:
    """Remove temporary files of this target that no living process holds."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{ours}*.tmp"):
            with contextlib.suppress(OSError):
                if sys.platform == "win32":  # refuses to remove what is open
                    path.unlink()
                    continue
                found = path.stat()
                begun = found.st_size or time.time() - found.st_mtime > 60  # seconds
                with open(path, "rb") as file:
                    # Its owner locks it empty: one that is new and empty is left.
                    if begun and _lock(file):
                        path.unlink()


def _lock(file: BinaryIO) -> bool:
    """Hold a file until it is closed; False if another process does."""
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def _flush_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where folders can be flushed."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
