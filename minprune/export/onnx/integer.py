"""The steps of an 8-bit network as ONNX operators between pairs of Q and DQ.

Every value is uint8: the level of `minprune.quantize` plus 128. A step reads it through
DequantizeLinear, is an ordinary float operator, and writes through QuantizeLinear; a
run time that knows integers puts an integer kernel in the place of the group, one that
does not runs it as it stands.

Where the pair would round otherwise than `minprune.quantize` does and other operators
give its very levels, those are used: at the door, where ONNX rounds halves to even, and
for the bounds of a ReLU, which are cut on the levels themselves.

Weights are uint8 too, with 128 for zero. As int8 they would be the same numbers, but
onnxruntime, on an x86 processor without VNNI, then adds pairs of products in 16 bits,
which saturate: a network made to show it came out wrong by 126 levels.
"""

import numpy as np

from minprune._check import AnyArray
from minprune.export.onnx.builder import Builder
from minprune.export.onnx.layers import geometry
from minprune.nn.layer import Shape
from minprune.quantize.arithmetic import AffineNumbers, Levels, bounds
from minprune.quantize.graph import Add, Affine, Clip, Concat, Plane, Pool, Step
from minprune.quantize.network import QuantizedNetwork


class Steps:
    """Writes the steps of a quantized network into a `Builder`.

    Attributes
    ----------
    values : dict of int to str
        The name of the uint8 value of each number in the graph.
    shapes : dict of int to tuple of int
        Its shape, without the batch.
    output : str
        The real answer.
    """

    def __init__(self, builder: Builder, small: QuantizedNetwork) -> None:
        self.builder, self.small, self.graph = builder, small, small.graph
        self.values = {0: self._door()}
        self.shapes: dict[int, Shape] = {0: self.graph.input_shape}
        for step in self.graph.steps:
            self._step(step, step.name or type(step).__name__)
        outputs = self.graph.sizes[self.graph.output]
        self.output = self._real(self.graph.output, (outputs,), "answer")

    def _door(self) -> str:
        """Raw samples as levels: the floor of ``raw * gain + shift``."""
        node, constant = self.builder.node, self.builder.constant
        gain = constant("door.gain", self.small.gain)
        x = node("Mul", ["input", gain], "door/gain")
        x = node("Add", [x, constant("door.shift", self.small.shift)], "door/shift")
        x = node("Floor", [x], "door/floor")
        # Whole numbers by now, so that this only cuts them off at 0 and 255.
        return self._quantized(x, Levels(1.0, -128), "door")

    def _step(self, step: Step, name: str) -> None:
        """Write one step; its value then has the name of the layer."""
        node, plane = self.builder.node, step.out
        shape = _flat(plane)
        match step:
            case Affine() if _linear(step):
                x = self._real(step.xs[0], step.plane[:1], name)
                weights = self._weights(step, name, (plane[0], step.plane[0]))
                y = node("Gemm", [x, *weights], f"{name}/real", transB=1)
            case Affine():
                x, shape = self._real(step.xs[0], step.plane, name), plane
                weights = self._weights(step, name, step.weight.shape)
                view = geometry(step.window, 2) | {
                    "dilations": list(step.window.dilation),
                    "group": step.groups,
                }
                y = node("Conv", [x, *weights], f"{name}/real", **view)
            case Pool():
                x, shape = self._real(step.xs[0], step.plane, name), plane
                view = geometry(step.window, 2)
                if not step.largest:
                    view["count_include_pad"] = 1
                op = "MaxPool" if step.largest else "AveragePool"
                y = node(op, [x], f"{name}/real", **view)
            case Add():
                both = [self._real(x, shape, name) for x in step.xs]
                y = node("Add", both, f"{name}/real")
            case Concat():
                places = plane[1] * plane[2]
                parts = [
                    self._real(x, (self.graph.sizes[x] // places, *shape[1:]), name)
                    for x in step.xs
                ]
                y = node("Concat", parts, f"{name}/real", axis=1)
            case Clip():
                y = self._real(step.xs[0], shape, name)
            case _:
                raise ValueError(
                    f"export: step {name} is a {type(step).__name__}, which has no "
                    f"ONNX form here; nothing was written"
                )
        self.values[step.y] = self._bounded(step, y, name)
        self.shapes[step.y] = shape

    def _weights(self, step: Affine, name: str, shape: Shape) -> list[str]:
        """Weight and bias through DequantizeLinear: one scale, or one a row."""
        numbers = self.small.numbers[step.y]
        if not isinstance(numbers, AffineNumbers):
            raise TypeError(f"export: {name} has no integer weights")
        source, target = self.small.levels[step.xs[0]], self.small.levels[step.y]
        scales = numbers.scales(source, target)
        if len(scales) == 1:
            scales = scales[0]
        axis = {"axis": 0} if scales.ndim else {}
        zeros = np.zeros(scales.shape, np.int8)
        sums = numbers.weight.sum(axis=1, dtype=np.int64)
        bias = numbers.bias + source.zero * sums  # as it was before it was folded

        def read(key: str, *arrays: AnyArray) -> str:
            names = ("", ".scale", ".zero")[: len(arrays)]
            given = [
                self.builder.constant(f"{name}.{key}{end}", array)
                for end, array in zip(names, arrays, strict=True)
            ]
            return self.builder.node("DequantizeLinear", given, f"{name}/{key}", **axis)

        weight = numbers.weight.reshape(shape)
        return [
            read("weight", _unsigned(weight), scales, _unsigned(zeros)),
            read("bias", bias.astype(np.int32), np.float32(source.scale) * scales),
        ]

    def _real(self, value: int, shape: Shape, name: str) -> str:
        """A value in this shape, dequantized, for the step of that name."""
        x = self.values[value]
        if self.shapes[value] != shape:
            x = self.builder.reshape(x, shape, f"{name}/levels")
        numbers = self._scale(self.small.levels[value], f"{name}/x")
        return self.builder.node("DequantizeLinear", [x, *numbers], f"{name}/x")

    def _quantized(self, x: str, levels: Levels, name: str) -> str:
        """A real value as levels."""
        numbers = self._scale(levels, name)
        return self.builder.node("QuantizeLinear", [x, *numbers], name)

    def _bounded(self, step: Step, y: str, name: str) -> str:
        """The real answer of a step as levels, within the step's bounds."""
        levels = self.small.levels[step.y]
        ends = bounds(step, levels)
        if ends == (-128, 127):
            return self._quantized(y, levels, name)
        y = self._quantized(y, levels, f"{name}/unbounded")
        low, high = (
            self.builder.constant(f"{name}.{key}", _unsigned(np.array(end)))
            for key, end in zip(("low", "high"), ends, strict=True)
        )
        return self.builder.node("Clip", [y, low, high], name)

    def _scale(self, levels: Levels, name: str) -> list[str]:
        """Scale and zero point of a value."""
        constant = self.builder.constant
        return [
            constant(f"{name}.scale", np.array(levels.scale, np.float32)),
            constant(f"{name}.zero", _unsigned(np.array(levels.zero))),
        ]


def _unsigned(levels: AnyArray) -> AnyArray:
    """Levels -128 to 127 as the uint8 that the file holds."""
    return (levels.astype(np.int16) + 128).astype(np.uint8)


def _linear(step: Affine) -> bool:
    """Whether a step is one product with a vector."""
    flat = step.plane[1:] == step.out[1:] == step.window.kernel == (1, 1)
    return flat and step.groups == 1


def _flat(plane: Plane) -> Shape:
    """Features are (C,), everything else stays a plane."""
    return plane[:1] if plane[1:] == (1, 1) else plane
