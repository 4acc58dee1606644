"""Drawn networks for the device benchmarks, pruned and quantized."""

from itertools import pairwise

import numpy as np

from minprune import masks, nn
from minprune._random import stream
from minprune.quantize import QuantizedNetwork, quantize


def mlp(*widths: int) -> nn.Network:
    """Linear layers with ReLU between them."""
    layers: list[nn.Layer] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Network(nn.Sequential(*layers[:-1]), widths[:1], seed=0)


def named() -> dict[str, nn.Network]:
    """The networks whose footprint is quoted."""
    conv = nn.Sequential(nn.Conv2d(32, 64, 3, padding=1))
    image = 1, 8, 8
    return {
        "LeNet-300-100": mlp(784, 300, 100, 10),
        "MLP 64-32-16-10": mlp(64, 32, 16, 10),
        "conv 3x3x32x64, 8x8": nn.Network(conv, (32, 8, 8), seed=0),
        "small CNN, 8x8": nn.Network(nn.models.small_cnn(image, 10), image, seed=0),
    }


def pruned(
    net: nn.Network, sparsity: float, dtype: str
) -> nn.Network | QuantizedNetwork:
    """The network with its smallest weights removed, in a type."""
    scores = {name: np.abs(w).astype(float) for name, w in net.weights().items()}
    net = net.copy()
    net.set_masks(masks.select(scores, sparsity=sparsity, scope="network"))
    samples = stream(0, "samples").normal(size=(64, *net.input_shape))
    bits = {"int8": 8, "4 bits": 4}
    return quantize(net, samples, bits=bits[dtype]) if dtype in bits else net
