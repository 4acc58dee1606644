"""Networks in files: one `.safetensors` each, the architecture in its metadata."""

import json
from os import PathLike

import minprune.sparse  # noqa: F401  (files its layer kinds, which a manifest may name)
from minprune._check import AnyArray
from minprune.files import container
from minprune.nn.network import Network
from minprune.quantize import QuantizedNetwork
from minprune.quantize.form import ROOT

KEY = "minprune"
"""Where the manifest stands in the metadata of the file."""


def save(net: Network | QuantizedNetwork, path: str | PathLike[str]) -> None:
    """Write a network to a file, or leave what is there as it was.

    Parameters
    ----------
    net : Network or QuantizedNetwork
        Pruned weights are stored sparsely, in the smallest form that holds them.
    path : str or path-like
        By custom it ends in ``.safetensors``; the format is readable by that package.

    Raises
    ------
    OSError
        If it cannot be written; nothing has changed then.
    """
    container.write(path, *_stored(net))


def size(net: Network | QuantizedNetwork) -> int:
    """Bytes of the file that `save` writes: the arrays, and what stands before them.

    >>> from minprune.nn import Linear, Sequential
    >>> net = Network(Sequential(Linear(4, 3)), (4,), seed=0)
    >>> sum(array.nbytes for array in net.state().values()), size(net)
    (68, 612)
    """
    return container.size(*_stored(net))


def _stored(
    net: Network | QuantizedNetwork,
) -> tuple[dict[str, AnyArray], dict[str, str]]:
    """The arrays of a file, and its metadata."""
    manifest = json.dumps(net.manifest(), separators=(",", ":"))
    return net.state(), {KEY: manifest}


def load(path: str | PathLike[str]) -> Network | QuantizedNetwork:
    """The network in a file written by `save`, in floats or in integers.

    Raises
    ------
    ValueError
        If it is no such file, or is damaged: the file, the field and the fault.
    OSError
        If it cannot be read.

    See Also
    --------
    load_network : For what needs real weights.
    """
    tensors, metadata = container.read(path)
    if KEY not in metadata:
        raise ValueError(
            f"{path}: its metadata has no {KEY!r} entry, so it holds arrays but no "
            f"architecture; expected a file written by minprune"
        )
    try:
        manifest = container.json_object(metadata[KEY])
        root = manifest.get("root")
        if isinstance(root, dict) and root.get("kind") == ROOT:
            return QuantizedNetwork.from_state(manifest, tensors)
        return Network.from_state(manifest, tensors)
    except (ValueError, RecursionError) as why:
        raise ValueError(f"{path}: {why}") from why


def load_network(path: str | PathLike[str]) -> Network:
    """The network in a file, if it holds real weights, to be trained or changed.

    Raises
    ------
    ValueError
        As `load`, and for a quantized network.
    OSError
        If the file cannot be read.
    """
    net = load(path)
    if isinstance(net, QuantizedNetwork):
        raise ValueError(
            f"{path}: it holds a quantized network, whose integers cannot be "
            f"trained or changed; name the file it was made from"
        )
    return net
