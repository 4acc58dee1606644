"""Plain convolutional networks for images: convolutions, pools, and a flat end."""

from minprune.nn.activation import Flatten, ReLU
from minprune.nn.chain import Sequential
from minprune.nn.conv import Conv2d
from minprune.nn.layer import Layer, Shape
from minprune.nn.linear import Linear
from minprune.nn.models._registry import image, model
from minprune.nn.norm import BatchNorm
from minprune.nn.pool import MaxPool2d

SMALL = 16
"""Images below this many rows or columns are padded where the original pads nothing:
five-pixel windows and pools would otherwise leave nothing of them."""


def with_head(
    front: dict[str, Layer], shape: Shape, outputs: int, hidden: int
) -> Sequential:
    """A front that ends flat, followed by one hidden layer and the outputs."""
    (features,) = Sequential(front).output_shape(shape)
    head = {
        "fc1": Linear(features, hidden),
        "relu_fc1": ReLU(),
        "fc2": Linear(hidden, outputs),
    }
    return Sequential({**front, **head})


@model
def lenet5(shape: Shape, outputs: int) -> Layer:
    """Caffe's LeNet: 20 and 50 filters of 5x5 with pools, then 500 hidden units.

    431,080 parameters and 2,293,000 multiply-adds on MNIST. The convolutions have no
    ReLU behind them there, nor here. Small images are padded by 2.
    """
    channels, height, width = image(shape)
    padding = 0 if min(height, width) >= SMALL else 2
    front: dict[str, Layer] = {
        "conv1": Conv2d(channels, 20, 5, padding=padding),
        "pool1": MaxPool2d(2),
        "conv2": Conv2d(20, 50, 5, padding=padding),
        "pool2": MaxPool2d(2),
        "flatten": Flatten(),
    }
    return with_head(front, shape, outputs, 500)


@model
def small_cnn(shape: Shape, outputs: int) -> Layer:
    """Two 3x3 convolutions (16, 32), one pool, 64 hidden units: for small images."""
    front: dict[str, Layer] = {
        "conv1": Conv2d(image(shape)[0], 16, 3, padding=1),
        "relu1": ReLU(),
        "conv2": Conv2d(16, 32, 3, padding=1),
        "relu2": ReLU(),
        "pool": MaxPool2d(2),
        "flatten": Flatten(),
    }
    return with_head(front, shape, outputs, 64)


def _pooled(shape: Shape, widths: tuple[int, ...], padding: int) -> dict[str, Layer]:
    """3x3 convolutions, each followed by ReLU and a pool."""
    layers: dict[str, Layer] = {}
    channels = image(shape)[0]
    for index, width in enumerate(widths, 1):
        layers |= {
            f"conv{index}": Conv2d(channels, width, 3, padding=padding),
            f"relu{index}": ReLU(),
            f"pool{index}": MaxPool2d(2),
        }
        channels = width
    return layers | {"flatten": Flatten()}


@model
def keras_cnn(shape: Shape, outputs: int) -> Layer:
    """Keras's MNIST network: conv 32, pool, conv 64, pool (3x3), dense 64.

    121,930 parameters on MNIST. Small images are padded by 1.
    """
    padding = 0 if min(image(shape)[1:]) >= SMALL else 1
    return with_head(_pooled(shape, (32, 64), padding), shape, outputs, 64)


@model
def cifar_cnn(shape: Shape, outputs: int) -> Layer:
    """3x3 convolutions of 32, 64 and 128 with pools, dense 64: for CIFAR-10."""
    return with_head(_pooled(shape, (32, 64, 128), 1), shape, outputs, 64)


@model
def vgg_small(
    shape: Shape, outputs: int, widths: tuple[int, ...] = (32, 64, 128)
) -> Layer:
    """Pairs of 3x3 convolutions with batch norm, a pool behind each, dense 128.

    The scheme of VGG (Simonyan & Zisserman 2015) at a size that trains on a laptop.
    """
    layers: dict[str, Layer] = {}
    channels = image(shape)[0]
    for stage, width in enumerate(widths, 1):
        for part in (1, 2):
            layers |= {
                f"conv{stage}_{part}": Conv2d(
                    channels, width, 3, padding=1, bias=False
                ),
                f"bn{stage}_{part}": BatchNorm(width),
                f"relu{stage}_{part}": ReLU(),
            }
            channels = width
        layers[f"pool{stage}"] = MaxPool2d(2)
    layers["flatten"] = Flatten()
    return with_head(layers, shape, outputs, 128)
