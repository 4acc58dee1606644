"""A strip has the input of every tap at every position where its offset says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minprune import nn
from minprune.export import c99
from minprune.export.c99.strip import strip
from minprune.quantize import lower


@st.composite
def convolutions(draw):
    """A step with stride, dilation and groups, and the plane it sees."""
    groups, stride = draw(st.sampled_from([1, 2])), draw(st.integers(1, 3))
    channels, height, width = (
        2 * groups,
        draw(st.integers(3, 6)),
        draw(st.integers(3, 20)),
    )
    layer = nn.Conv2d(
        channels,
        groups,
        (draw(st.integers(1, 3)), draw(st.integers(1, 4))),
        stride=(1, stride),
        padding=[[1, 2], [2, draw(st.integers(4, 6))]],
        dilation=(1, draw(st.integers(1, 2))),
        groups=groups,
    )
    shape = channels, height, width
    graph = lower(nn.Network(nn.Sequential(layer), shape, seed=0), "test")
    return graph.steps[0]


def laid_out(step, found, padded, row, column):
    """A strip by its definition: line after line, each sorted by its remainders."""
    (rows, _), (stride_rows, stride) = step.window.kernel, step.window.stride
    numbers = []
    for channel in range(step.plane[0] // step.groups):
        for i in range(rows):
            line = padded[channel, row * stride_rows + i * step.window.dilation[0]]
            for phase in range(found.phases):
                for k in range(found.length):
                    at = column * stride + phase + k * stride
                    numbers.append(line[at] if at < len(line) else np.nan)
    return np.array(numbers)


@given(convolutions())
def test_every_tap_finds_its_inputs_side_by_side(step):
    found, window = strip(step), step.window
    channels = step.plane[0] // step.groups
    plane = np.arange(channels * step.plane[1] * step.plane[2], dtype=float)
    padded = window.pad(plane.reshape(channels, *step.plane[1:], 1), -1.0)[..., 0]
    (rows, columns), (stride_rows, stride) = window.kernel, window.stride
    blocks = 0
    for row in range(step.out[1]):
        for first in range(0, step.out[2], found.lanes):
            numbers = laid_out(step, found, padded, row, first)
            assert numbers.size == found.size
            blocks += 1
            for lane in range(min(found.lanes, step.out[2] - first)):
                top, left = row * stride_rows, (first + lane) * stride
                seen = padded[
                    :,
                    top : top + window.reach[0] : window.dilation[0],
                    left : left + window.reach[1] : window.dilation[1],
                ]
                assert seen.shape == (channels, rows, columns)
                assert np.array_equal(numbers[found.offsets + lane], seen.reshape(-1))
    assert blocks == found.blocks


@given(convolutions(), st.integers(0, 99))
def test_spreading_a_matrix_moves_its_columns_and_back(step, seed):
    found = strip(step)
    matrix = np.random.default_rng(seed).normal(size=(3, step.matrix.shape[1]))
    wide = found.spread(matrix)
    assert np.array_equal(wide[:, found.offsets], matrix)
    assert np.count_nonzero(wide) == np.count_nonzero(matrix)
    assert found.columns(found.offsets).tolist() == list(range(matrix.shape[1]))


def test_a_strip_beyond_fifteen_bits_is_refused_by_its_layer():
    wide = nn.Sequential({"conv": nn.Conv2d(1200, 2, 3, padding=1)})
    with pytest.raises(ValueError, match="layer conv sees 36000 numbers"):
        c99.Program(nn.Network(wide, (1200, 3, 8), seed=0))
