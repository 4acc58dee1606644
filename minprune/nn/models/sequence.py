"""Networks for sequences: convolutions along time, and recurrent layers."""

from minprune.nn.activation import Flatten, ReLU
from minprune.nn.cells import GRU, LSTM
from minprune.nn.chain import Sequential
from minprune.nn.conv import Conv1d, Conv2d
from minprune.nn.layer import Layer, Shape
from minprune.nn.linear import Linear
from minprune.nn.models._registry import image, model, signal
from minprune.nn.models.image import with_head
from minprune.nn.norm import BatchNorm
from minprune.nn.pool import GlobalAvgPool, MaxPool1d


@model
def cnn1d(
    shape: Shape, outputs: int, widths: tuple[int, int] = (16, 32), hidden: int = 64
) -> Layer:
    """Two convolutions of 5 steps (16, 32), pools, 64 hidden units: for sequences."""
    front: dict[str, Layer] = {
        "conv1": Conv1d(signal(shape)[0], widths[0], 5, padding="same"),
        "relu1": ReLU(),
        "pool1": MaxPool1d(2),
        "conv2": Conv1d(widths[0], widths[1], 5, padding="same"),
        "relu2": ReLU(),
        "pool2": MaxPool1d(2),
        "flatten": Flatten(),
    }
    return with_head(front, shape, outputs, hidden)


@model
def ds_cnn(shape: Shape, outputs: int, width: int = 64, blocks: int = 4) -> Layer:
    """Depthwise-separable network for keyword spotting (Zhang et al. 2017, DS-CNN-S).

    On 49 frames of 10 coefficients and 12 words: 22,016 weights and 2.66 million
    multiply-adds, the published 5.4 million operations. Its first filters see 10 frames
    by 4 coefficients at every second of both.
    """
    layers: dict[str, Layer] = {
        "conv": Conv2d(
            image(shape)[0], width, (10, 4), 2, [[4, 5], [1, 1]], bias=False
        ),
        "bn": BatchNorm(width),
        "relu": ReLU(),
    }
    for block in range(1, blocks + 1):
        layers[f"block{block}"] = Sequential(
            {
                "depthwise": Conv2d(
                    width, width, 3, padding=1, groups=width, bias=False
                ),
                "bn1": BatchNorm(width),
                "relu1": ReLU(),
                "pointwise": Conv2d(width, width, 1, bias=False),
                "bn2": BatchNorm(width),
                "relu2": ReLU(),
            }
        )
    layers |= {"pool": GlobalAvgPool(), "fc": Linear(width, outputs)}
    return Sequential(layers)


@model
def gru(
    shape: Shape, outputs: int, hidden: int = 32, bidirectional: bool = False
) -> Layer:
    """A gated recurrent layer whose last state is classified."""
    inner = GRU(signal(shape)[0], hidden, bidirectional=bidirectional, last=True)
    return Sequential(
        {"gru": inner, "fc": Linear(hidden * (1 + bidirectional), outputs)}
    )


@model
def lstm(
    shape: Shape, outputs: int, hidden: int = 32, bidirectional: bool = False
) -> Layer:
    """A long short-term memory layer whose last state is classified."""
    inner = LSTM(signal(shape)[0], hidden, bidirectional=bidirectional, last=True)
    return Sequential(
        {"lstm": inner, "fc": Linear(hidden * (1 + bidirectional), outputs)}
    )
