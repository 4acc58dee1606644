"""The same bits as TensorFlow Lite for Microcontrollers, where it is installed."""

import numpy as np
import pytest

from minprune import nn
from minprune.quantize import quantize
from tests.quantize import tflite

pytestmark = pytest.mark.skipif(
    tflite.runtime is None,
    reason='tflite-micro is not installed: python -m pip install -e ".[tflite]"',
)

SAME_STRIDE_2 = [[0, 1], [1, 1]]
"""What SAME means for windows of 3 at stride 2 over 8 rows and 7 columns."""

LAYERS = {
    "linear": lambda: (nn.Linear(70, 13), (70,)),
    "linear without bias": lambda: (nn.Linear(5, 3, bias=False), (5,)),
    "conv": lambda: (nn.Conv2d(3, 5, 3), (3, 8, 7)),
    "conv same": lambda: (nn.Conv2d(3, 5, 3, padding="same"), (3, 8, 7)),
    "conv 1x1": lambda: (nn.Conv2d(6, 9, 1), (6, 4, 4)),
    "conv strided": lambda: (nn.Conv2d(2, 4, (3, 2), stride=(2, 1)), (2, 9, 6)),
    "conv strided same": lambda: (
        nn.Conv2d(2, 4, 3, stride=2, padding=SAME_STRIDE_2),
        (2, 8, 7),
    ),
    "conv dilated": lambda: (nn.Conv2d(2, 3, 3, dilation=2), (2, 9, 8)),
    "depthwise": lambda: (nn.Conv2d(4, 4, 3, groups=4, padding="same"), (4, 6, 5)),
    "depthwise twice": lambda: (nn.Conv2d(4, 8, 3, groups=4), (4, 6, 5)),
    "depthwise strided": lambda: (nn.Conv2d(3, 3, 3, stride=2, groups=3), (3, 7, 9)),
}


@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("after", [None, nn.ReLU, nn.ReLU6])
@pytest.mark.parametrize("name", LAYERS)
def test_every_output_is_bit_equal(name, after, by_row):
    rng = np.random.default_rng(len(name))
    layer, shape = LAYERS[name]()
    for param in layer.params.values():
        param[...] = rng.normal(size=param.shape)
    layer.set_mask("weight", rng.random(layer.params["weight"].shape) < 0.6)
    layers = [layer] if after is None else [layer, after()]
    net, seen = nn.Network(nn.Sequential(*layers), shape), rng.normal(size=(50, *shape))
    small = quantize(net, seen + 0.5, linear_by_row=by_row)
    samples = rng.integers(-128, 128, (64, int(np.prod(shape)))).astype(np.int8)
    samples[0], samples[1] = -128, 127
    wanted = small.run(samples)
    assert len(np.unique(wanted)) > 20  # there is something to compare
    found = tflite.answers(small, samples).reshape(wanted.shape)
    assert found.tobytes() == wanted.tobytes()


def test_the_comparison_can_fail():
    net = nn.Network(nn.Sequential(nn.Linear(9, 4)), (9,), seed=0)
    small = quantize(net, np.random.default_rng(0).normal(size=(50, 9)))
    samples = np.full((1, 9), 100, np.int8)
    small.numbers[small.graph.output].bias[2] += 1000
    wrong = small.run(samples)
    small.numbers[small.graph.output].bias[2] -= 1000
    assert tflite.answers(small, samples).tobytes() != wrong.tobytes()
