"""Writing a file so that it is either all there or not there at all.

Whatever goes wrong, a full disk, Ctrl-C, a folder that cannot be written, the file that
had the name before keeps its bytes, and nothing else is left lying beside it.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

AnyPath = str | os.PathLike[str]

REMEDIES = {
    errno.ENOSPC: "the disk is full; make room and write again",
    errno.EDQUOT: "the disk quota is used up; make room and write again",
    errno.EFBIG: "the file would be larger than this process may write",
    errno.EROFS: "the file system can only be read; name a place elsewhere",
    errno.EACCES: "no permission; change the permissions or name another place",
    errno.EPERM: "no permission; change the permissions or name another place",
    errno.ENOENT: "there is no such file or folder; check the name",
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
    included, removes it and passes on.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atomic_write(folder + "/a.txt", lambda file: file.write(b"all or nothing"))
    ...     Path(folder, "a.txt").read_bytes()
    b'all or nothing'
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            write_to_file(file)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o7777)
        temporary.replace(target)
        _flush_folder(target.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise explained(error, f"{os.fspath(path)} was not written") from error
        raise


def write_text(path: AnyPath, text: str) -> None:
    """Write a text file atomically, in UTF-8; raises as `atomic_write` does."""

    def write(file: BinaryIO) -> None:
        file.write(text.encode())

    atomic_write(path, write)


def explained(error: OSError, what: str) -> OSError:
    """An error of the same class and number whose text is one line with a remedy."""
    reason = error.strerror or str(error)
    remedy = REMEDIES.get(error.errno or 0)
    clear = type(error)(f"{what}: {remedy or reason}")
    clear.errno = error.errno
    return clear


def _flush_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where folders can be flushed."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
