"""Networks with branches: residual, inverted residual, side by side."""

from minprune.nn.activation import ReLU, ReLU6
from minprune.nn.chain import Concat, Residual, Sequential
from minprune.nn.conv import Conv2d
from minprune.nn.dropout import Dropout
from minprune.nn.layer import Layer, Shape
from minprune.nn.linear import Linear
from minprune.nn.models._registry import image, model
from minprune.nn.norm import BatchNorm
from minprune.nn.pool import GlobalAvgPool, MaxPool2d


def _conv_norm(
    channels: int, width: int, kernel: int, stride: int = 1, groups: int = 1
) -> dict[str, Layer]:
    """A convolution that keeps the size (but for the stride), and its batch norm."""
    conv = Conv2d(channels, width, kernel, stride, kernel // 2, 1, groups, bias=False)
    return {"conv": conv, "bn": BatchNorm(width)}


@model
def resnet20(shape: Shape, outputs: int, width: int = 16, blocks: int = 3) -> Layer:
    """Three stages of residual blocks, 16-32-64 filters (He et al. 2016, Sec. 4.2).

    Where a block changes the shape, its shortcut is a 1x1 projection with batch norm
    (option B): 272,474 parameters on CIFAR-10. The paper's option A, which pads with
    zeros, has the published 0.27 million.
    """
    channels = image(shape)[0]
    layers: dict[str, Layer] = {
        "conv1": Conv2d(channels, width, 3, padding=1, bias=False),
        "bn1": BatchNorm(width),
        "relu": ReLU(),
    }
    channels = width
    for stage in range(3):
        wide = width * 2**stage
        parts: list[Layer] = []
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            parts.append(_residual(channels, wide, stride))
            channels = wide
        layers[f"layer{stage + 1}"] = Sequential(*parts)
    layers |= {"pool": GlobalAvgPool(), "fc": Linear(channels, outputs)}
    return Sequential(layers)


def _residual(channels: int, width: int, stride: int) -> Layer:
    """Two 3x3 convolutions around a shortcut, and the ReLU behind the sum."""
    body = Sequential(
        {
            "conv1": Conv2d(channels, width, 3, stride, 1, bias=False),
            "bn1": BatchNorm(width),
            "relu": ReLU(),
            "conv2": Conv2d(width, width, 3, padding=1, bias=False),
            "bn2": BatchNorm(width),
        }
    )
    project = None
    if stride != 1 or channels != width:
        project = Sequential(_conv_norm(channels, width, 1, stride))
    return Sequential({"block": Residual(body, project), "relu": ReLU()})


INVERTED = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, repeats, first stride (Sandler et al. 2018, Table 2)."""


def _divisible(channels: float) -> int:
    """The nearest multiple of 8, and never more than 10 % below what was asked."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


@model
def mobilenet_v2(
    shape: Shape, outputs: int, width: float = 1.0, dropout: float = 0.2
) -> Layer:
    """Inverted residuals with linear bottlenecks (Sandler et al. 2018, Table 2).

    3,504,872 parameters and 301 million multiply-adds for 224x224 images and 1000
    classes at width 1. Any image size will do; the five halvings stay.
    """
    channels = _divisible(32 * width)
    features: list[Layer] = [_relu6(_conv_norm(image(shape)[0], channels, 3, 2))]
    for expansion, wanted, repeats, first in INVERTED:
        wide = _divisible(wanted * width)
        for repeat in range(repeats):
            stride = first if repeat == 0 else 1
            features.append(_inverted(channels, wide, expansion, stride))
            channels = wide
    last = _divisible(1280 * max(1.0, width))
    features.append(_relu6(_conv_norm(channels, last, 1)))
    head = Sequential(Dropout(dropout), Linear(last, outputs))
    return Sequential(
        {
            "features": Sequential(*features),
            "pool": GlobalAvgPool(),
            "classifier": head,
        }
    )


def _relu6(layers: dict[str, Layer]) -> Sequential:
    return Sequential({**layers, "relu": ReLU6()})


def _inverted(channels: int, width: int, expansion: int, stride: int) -> Layer:
    """Widen by 1x1, filter each channel by 3x3, narrow by 1x1 without activation."""
    inner = channels * expansion
    parts: dict[str, Layer] = {}
    if expansion != 1:
        parts["expand"] = _relu6(_conv_norm(channels, inner, 1))
    parts["depthwise"] = _relu6(_conv_norm(inner, inner, 3, stride, groups=inner))
    parts["project"] = Sequential(_conv_norm(inner, width, 1))
    body = Sequential(parts)
    return Residual(body) if stride == 1 and channels == width else body


@model
def inception_small(shape: Shape, outputs: int, width: int = 16) -> Layer:
    """Blocks of 1x1, 3x3, 5x5 and pooled branches (Szegedy et al. 2015, Fig. 2b)."""
    stem = {**_conv_norm(image(shape)[0], 2 * width, 3), "relu": ReLU()}
    return Sequential(
        {
            "stem": Sequential(stem),
            "block1": _inception(2 * width, width),
            "pool": MaxPool2d(2),
            "block2": _inception(4 * width, 2 * width),
            "average": GlobalAvgPool(),
            "fc": Linear(8 * width, outputs),
        }
    )


def _inception(channels: int, width: int) -> Layer:
    """Four branches of `width` channels each, stacked."""

    def conv(inputs: int, kernel: int) -> dict[str, Layer]:
        return {**_conv_norm(inputs, width, kernel), "relu": ReLU()}

    def reduced(kernel: int) -> Sequential:
        parts = {"reduce": Sequential(conv(channels, 1))}
        return Sequential({**parts, "wide": Sequential(conv(width, kernel))})

    pooled = {"pool": MaxPool2d(3, 1, 1), **conv(channels, 1)}
    return Concat(
        {
            "one": Sequential(conv(channels, 1)),
            "three": reduced(3),
            "five": reduced(5),
            "pooled": Sequential(pooled),
        }
    )
