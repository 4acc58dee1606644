"""Networks in files: one `.safetensors` each, the architecture in its metadata."""

import json
from os import PathLike

import minprune.sparse  # noqa: F401  (files its layer kinds, which a manifest may name)
from minprune.files import container
from minprune.nn.network import Network

KEY = "minprune"
"""Where the manifest stands in the metadata of the file."""


def save(net: Network, path: str | PathLike[str]) -> None:
    """Write a network to a file, or leave what is there as it was.

    Parameters
    ----------
    net : Network
        Pruned weights are stored sparsely, in the smallest form that holds them.
    path : str or path-like
        By custom it ends in ``.safetensors``; the format is readable by that package.

    Raises
    ------
    OSError
        If it cannot be written; nothing has changed then.
    """
    manifest = json.dumps(net.manifest(), separators=(",", ":"))
    container.write(path, net.state(), {KEY: manifest})


def load(path: str | PathLike[str]) -> Network:
    """The network in a file written by `save`.

    Raises
    ------
    ValueError
        If it is no such file, or is damaged: the file, the field and the fault.
    OSError
        If it cannot be read.
    """
    tensors, metadata = container.read(path)
    if KEY not in metadata:
        raise ValueError(
            f"{path}: its metadata has no {KEY!r} entry, so it holds arrays but no "
            f"architecture; expected a file written by minprune"
        )
    try:
        manifest = json.loads(metadata[KEY])
        if not isinstance(manifest, dict):
            raise ValueError(f"the manifest is a {type(manifest).__name__}, no object")
        return Network.from_state(manifest, tensors)
    except (ValueError, RecursionError) as why:
        raise ValueError(f"{path}: {why}") from why
