"""Finding a public data set among a user's files, by what the files are.

Layouts that are met: ``ROOT/MNIST/raw/NAME`` with the ``.gz`` beside it or not,
``ROOT/FashionMNIST/raw``, ``ROOT/cifar-10-batches-bin``; ``mnist.npz`` and
``fashion-mnist/NAME.gz`` in ``~/.keras/datasets``. None of these names is relied on.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from minprune.data.cifar import LABEL_BYTES, holds_records, read_cifar
from minprune.data.dataset import Dataset
from minprune.data.idx import gray_images, read_idx_images
from minprune.data.known import KNOWN, ROLES, KnownSet
from minprune.data.npz import read_arrays

DEPTH = 3
"""Folders below the root that are looked into; the layouts above need two."""

VALIDATION = 5000
"""Held out from the end of the training part; the published sets have none."""


def read_known(root: Path, known: KnownSet, *, download: bool = False) -> Dataset:
    """The data set `known` from files somewhere below `root`.

    Parameters
    ----------
    root : Path
        A folder; how deep is in `DEPTH`.
    known : KnownSet
        One of `KNOWN`.
    download : bool
        Fetch what is missing into ``root/NAME/``.

    Returns
    -------
    Dataset
        The published test set; the last `VALIDATION` training images are held out.

    Raises
    ------
    FileNotFoundError
        If files are missing. The message names them and where they can be had.
    ValueError
        If only the pickled form of CIFAR is there, or a file is damaged.
    """
    found = find(root, known)
    if download and not _complete(found):
        from minprune.data.download import fetch  # brings the network code along

        folder = root / known.name
        folder.mkdir(parents=True, exist_ok=True)
        for role, file in known.to_download().items():
            if role not in found:
                urls = [mirror + file.name for mirror in known.mirrors]
                found[role] = fetch(urls, folder / file.name, file)
    if not _complete(found):
        raise _missing(root, known, found)
    return _read(known, found)


def read_folder(root: Path) -> Dataset:
    """The one public data set whose files lie below `root`."""
    found = {n: files for n, known in KNOWN.items() if (files := find(root, known))}
    complete = [name for name, files in found.items() if _complete(files)]
    if len(complete) == 1:
        return _read(KNOWN[complete[0]], found[complete[0]])
    if len(found) == 1:
        ((name, files),) = found.items()
        raise _missing(root, KNOWN[name], files)
    what = f"several data sets ({', '.join(complete)})" if complete else "none"
    raise ValueError(
        f"{root}: holds {what} of the known data sets; name one, with root=, of "
        f"{', '.join(KNOWN)}"
    )


def read_published_npz(path: Path) -> Dataset | None:
    """The data set in a `.npz` that was published; None if it is a user's own."""
    for known in KNOWN.values():
        for file in known.files:
            if file.role == "npz" and file.is_at(path):
                return _read(known, {"npz": path})
    return None


def find(root: Path, known: KnownSet) -> dict[str, Path]:
    """The role of every file of `known` that lies below `root`, and where it is."""
    found: dict[str, Path] = {}
    sizes = {file.size for file in known.files}
    for folder, names in _walk(root):
        if known.name in LABEL_BYTES and holds_records(folder, known):
            found.setdefault("records", folder)
        for path in (folder / name for name in names):
            if not path.is_file() or path.stat().st_size not in sizes:
                continue
            for file in known.files:
                if file.role not in found and file.is_at(path):
                    found[file.role] = path
    return found


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Folders down to `DEPTH` and the names in them, always in the same order."""
    for here, folders, names in os.walk(root):
        deep = len(Path(here).relative_to(root).parts) >= DEPTH
        folders[:] = [] if deep else sorted(folders)
        yield Path(here), sorted(names)


def _complete(found: dict[str, Path]) -> bool:
    """Whether the data set can be read from what was found."""
    return bool({"npz", "archive", "records"} & set(found)) or set(ROLES) <= set(found)


def _missing(root: Path, known: KnownSet, found: dict[str, Path]) -> Exception:
    """What to tell a user who does not have the files."""
    if "pickled" in found:
        return ValueError(
            f"{found['pickled']}: this is {known.title} in pickled form, and nothing "
            f"is ever unpickled; get {known.files[0].name} from {known.mirrors[0]} "
            f"and put it below {root}, packed or unpacked"
        )
    files = known.to_download()
    absent = [file.name for role, file in files.items() if role not in found]
    return FileNotFoundError(
        f"{root}: {known.title} needs {', '.join(absent)} (told by checksum, not by "
        f"name), and no such file is there; get it from {known.mirrors[0]}, or load "
        f"with download=True"
    )


def _read(known: KnownSet, found: dict[str, Path]) -> Dataset:
    """The data set from files that are known to be right."""
    if known.name in LABEL_BYTES:
        path = found.get("archive") or found["records"]
        return read_cifar(path, known, validation=VALIDATION)
    if set(ROLES) <= set(found):
        return read_idx_images(
            *(found[role] for role in ROLES),
            classes=known.classes,
            validation=VALIDATION,
            name=known.name,
            attribution=known.attribution,
        )
    arrays = read_arrays(found["npz"])
    return gray_images(
        arrays["x_train"],
        arrays["x_test"],
        arrays["y_train"],
        arrays["y_test"],
        classes=known.classes,
        validation=VALIDATION,
        name=known.name,
        attribution=known.attribution,
        source=str(found["npz"]),
    )
