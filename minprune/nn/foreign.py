"""Weights from elsewhere, and back again under the same names.

PyTorch
    A `state_dict` saved as safetensors. Layers number and name their tensors as PyTorch
    does, so a network built alike takes them as they are; ``num_batches_tracked`` is
    left out. Masks go back as PyTorch's own pruning names them, ``fc1.weight_mask``.
scikit-learn
    A fitted ``MLPClassifier`` or ``MLPRegressor``, or its `coefs_` and `intercepts_`.
NumPy
    A plain ``.npz`` of weights; with an entry ``manifest``, the architecture too.

Nothing is unpickled, and no package but NumPy is needed for any of it.
"""

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, BinaryIO

import numpy as np

from minprune._check import AnyArray, FloatArray, finite, one_of
from minprune.data.npz import read_arrays
from minprune.files import atomic_write, container
from minprune.nn.activation import ReLU, Sigmoid, Tanh
from minprune.nn.chain import Sequential
from minprune.nn.layer import Layer
from minprune.nn.linear import Linear
from minprune.nn.network import Network

AnyPath = str | PathLike[str]
COUNTERS = "num_batches_tracked"
ACTIVATIONS: dict[str, type[Layer] | None] = {
    "relu": ReLU,
    "tanh": Tanh,
    "logistic": Sigmoid,
    "identity": None,
}
"""scikit-learn's names."""


def read_state_dict(path: AnyPath) -> dict[str, AnyArray]:
    """The tensors of a `.safetensors` file by name.

    Raises
    ------
    ValueError
        If it is no such file, or damaged.
    """
    return container.read(path)[0]


def load_state_dict(net: Network, tensors: Mapping[str, AnyArray]) -> None:
    """Put a PyTorch `state_dict` into a network whose layers have the same names.

    Parameters
    ----------
    net : Network
        Changed in place, its masks lifted. Its preprocessing stays.
    tensors : mapping of str to ndarray
        One for each parameter and each running statistic.

    Raises
    ------
    ValueError
        If a tensor is missing, left over, not finite or of the wrong shape; the network
        is then left as it was.

    Examples
    --------
    >>> net = Network(Sequential(Linear(2, 1)), (2,))
    >>> load_state_dict(net, {"0.weight": np.ones((1, 2)), "0.bias": np.zeros(1)})
    >>> net(np.array([[1.0, 2.0]]))
    array([[3.]], dtype=float32)
    """
    ours = {name: a for name, a in tensors.items() if not name.endswith(COUNTERS)}
    wanted = state_dict(net)
    if missing := sorted(wanted.keys() - ours.keys()):
        raise ValueError(
            f"load_state_dict: {missing[0]!r} is missing, one of {len(missing)}; the "
            f"network has {', '.join(sorted(wanted))}"
        )
    if surplus := sorted(ours.keys() - wanted.keys()):
        raise ValueError(
            f"load_state_dict: there is no place for {surplus[0]!r}, one of "
            f"{len(surplus)}; build the network with the layers and names that these "
            f"weights come from"
        )
    for name, array in ours.items():
        if array.shape != wanted[name].shape:
            raise ValueError(
                f"load_state_dict: {name} has shape {array.shape}; the network has "
                f"{wanted[name].shape}"
            )
        finite("load_state_dict", **{name: array})
    dtype = net.dtype
    net.restore({name: array.astype(dtype) for name, array in ours.items()})


def state_dict(net: Network) -> dict[str, FloatArray]:
    """Every parameter and running statistic under its dotted name, weights written out.

    Pruned weights are zeros; a sparse layer is written as the dense one it stands for.
    """
    tensors: dict[str, FloatArray] = {}
    for path, layer in net.root.walk():
        arrays = {**layer.params, **layer.weights(), **layer.buffers}
        prefix = f"{path}." if path else ""
        tensors |= {f"{prefix}{name}": a.copy() for name, a in arrays.items()}
    return tensors


def masks_dict(net: Network) -> dict[str, AnyArray]:
    """Every mask as PyTorch's `prune` names it, such as ``fc1.weight_mask``; 0 or 1."""
    return {
        f"{name}_mask": mask.astype(np.float32) for name, mask in net.masks().items()
    }


def write_state_dict(net: Network, path: AnyPath, *, masks: bool = False) -> None:
    """Write `state_dict`, and the masks beside it if asked, as safetensors."""
    tensors: dict[str, AnyArray] = {**state_dict(net)}
    container.write(path, tensors | (masks_dict(net) if masks else {}))


def from_sklearn(
    estimator: Any = None,
    *,
    coefs: Sequence[AnyArray] = (),
    intercepts: Sequence[AnyArray] = (),
    activation: str = "relu",
    out_activation: str = "softmax",
    classes: Sequence[Any] = (),
) -> Network:
    """The network that a scikit-learn multi-layer perceptron computes.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor, optional
        Fitted; what it holds takes the place of the other arguments.
    coefs, intercepts : sequence of ndarray
        ``coefs_``, each (in, out), and ``intercepts_``.
    activation : {"relu", "tanh", "logistic", "identity"}
        Of the hidden layers.
    out_activation : {"softmax", "logistic", "identity"}
        Softmax and identity leave the outputs as they are. Logistic, one output for two
        classes, becomes two outputs, ``(0, z)``, whose softmax is the same.
    classes : sequence
        Names of the labels.

    Returns
    -------
    net : Network
        With layers ``fc1``, ``fc2``, ... In float32.

    Raises
    ------
    ValueError
        If the arrays do not chain, or the activation is not known.
    """
    if estimator is not None:
        coefs, intercepts = estimator.coefs_, estimator.intercepts_
        activation, out_activation = estimator.activation, estimator.out_activation_
        classes = getattr(estimator, "classes_", ())
    one_of("from_sklearn", "activation", activation, ACTIVATIONS)
    if len(coefs) != len(intercepts) or not coefs:
        raise ValueError(
            f"from_sklearn: {len(coefs)} coefs came with {len(intercepts)} intercepts; "
            f"expected one of each for every layer, and at least one layer"
        )
    between = ACTIVATIONS[activation]
    layers: dict[str, Layer] = {}
    for index, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True), 1):
        weight, bias = np.asarray(coef).T, np.asarray(intercept)
        finite("from_sklearn", coefs=weight, intercepts=bias)
        if weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise ValueError(
                f"from_sklearn: layer {index} has coefs of shape {np.shape(coef)} and "
                f"intercepts of shape {bias.shape}; expected (in, out) and (out,)"
            )
        last = index == len(coefs)
        if last and out_activation == "logistic" and len(weight) == 1:
            weight = np.concatenate([np.zeros_like(weight), weight])
            bias = np.concatenate([np.zeros_like(bias), bias])
        layer = Linear(weight.shape[1], weight.shape[0])
        layer.params["weight"][...], layer.params["bias"][...] = weight, bias
        layers[f"fc{index}"] = layer
        if not last and between is not None:
            layers[f"act{index}"] = between()
    names = tuple(str(name) for name in classes)
    return Network(Sequential(layers), (len(coefs[0]),), classes=names)


def write_npz(net: Network, path: AnyPath) -> None:
    """Write weights, preprocessing and manifest as a plain ``.npz``."""
    arrays: dict[str, Any] = {**net.state(), "manifest": json.dumps(net.manifest())}

    def fill(file: BinaryIO) -> None:
        np.savez(file, **arrays)

    atomic_write(path, fill)


def read_npz(path: AnyPath, net: Network | None = None) -> Network:
    """The network in a ``.npz`` file.

    Parameters
    ----------
    path : path
        Written by `write_npz`, or any archive of weights by their dotted names.
    net : Network, optional
        Gives the architecture where the file has no ``manifest``; not changed.

    Raises
    ------
    ValueError
        If the file is damaged, or its arrays do not fit the architecture.
    """
    arrays = read_arrays(path)
    manifest = arrays.pop("manifest", None)
    try:
        if manifest is not None:
            facts = json.loads(str(manifest))
            if not isinstance(facts, dict):
                raise ValueError(f"the manifest is a {type(facts).__name__}, no object")
            return Network.from_state(facts, arrays)
        if net is None:
            raise ValueError(
                "there is no entry 'manifest', so it holds weights but no "
                "architecture; give the network that they are for"
            )
        filled = net.copy()
        load_state_dict(filled, arrays)
    except (ValueError, RecursionError) as why:
        raise ValueError(f"{path}: {why}") from why
    return filled
