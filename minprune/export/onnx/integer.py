"""The steps of an 8-bit network as ONNX operators between pairs of Q and DQ.

Every value is int8. A step reads it through DequantizeLinear, is an ordinary float
operator, and writes through QuantizeLinear; a run time that knows integers puts an
integer kernel in the place of the group, one that does not runs it as it stands.

Where the pair would round otherwise than `minprune.quantize` does and other operators
give its very levels, those are used: at the door, where ONNX rounds halves to even, and
for the bounds of a ReLU, which are cut on the levels themselves.
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
        The name of the int8 value of each number in the graph.
    shapes : dict of int to tuple of int
        Its shape, without the batch.
    """

    def __init__(self, builder: Builder, small: QuantizedNetwork) -> None:
        self.builder, self.small, self.graph = builder, small, small.graph
        self.values = {0: self._door()}
        self.shapes: dict[int, Shape] = {0: self.graph.input_shape}
        for step in self.graph.steps:
            self._step(step)
        answer, outputs = self.graph.output, self.graph.sizes[self.graph.output]
        self.output = self._real(answer, (outputs,), "answer")

    def _door(self) -> str:
        """Raw samples as levels: the floor of ``raw * gain + shift``, minus 128."""
        node, constant = self.builder.node, self.builder.constant
        gain = constant("door.gain", self.small.gain)
        x = node("Mul", ["input", gain], "door/gain")
        x = node("Add", [x, constant("door.shift", self.small.shift)], "door/shift")
        x = node("Floor", [x], "door/floor")
        half = constant("door.half", np.array(128, np.float32))
        x = node("Sub", [x, half], "door/signed")
        # Whole numbers by now, so that this only cuts them off at -128 and 127.
        return self._quantized(x, Levels(1.0, 0), "door")

    def _step(self, step: Step) -> None:
        """Write one step."""
        name, node = step.name or type(step).__name__, self.builder.node
        shape = _flat(step.out)
        match step:
            case Affine():
                numbers = self.small.numbers[step.y]
                if not isinstance(numbers, AffineNumbers):
                    raise TypeError(f"export: {name} has no integer weights")
                linear = (*step.plane[1:], *step.out[1:], *step.window.kernel)
                if linear == (1,) * 6 and step.groups == 1:
                    x = self._real(step.xs[0], step.plane[:1], name)
                    weights = self._weights(step, numbers, name, numbers.weight)
                    y = node("Gemm", [x, *weights], f"{name}/real", transB=1)
                else:
                    shape, view = step.out, geometry(step.window, 2)
                    view |= {"dilations": list(step.window.dilation)}
                    x = self._real(step.xs[0], step.plane, name)
                    weight = numbers.weight.reshape(step.weight.shape)
                    weights = self._weights(step, numbers, name, weight)
                    y = node(
                        "Conv", [x, *weights], f"{name}/real", group=step.groups, **view
                    )
            case Pool():
                x, shape = self._real(step.xs[0], step.plane, name), step.out
                view = geometry(step.window, 2)
                if step.largest:
                    y = node("MaxPool", [x], f"{name}/real", **view)
                else:
                    view["count_include_pad"] = 1
                    y = node("AveragePool", [x], f"{name}/real", **view)
            case Add():
                both = [self._real(x, shape, name) for x in step.xs]
                y = node("Add", both, f"{name}/real")
            case Concat():
                place = int(np.prod(step.out[1:]))
                parts = [
                    self._real(x, (self.graph.sizes[x] // place, *shape[1:]), name)
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

    def _weights(
        self, step: Affine, numbers: AffineNumbers, name: str, weight: AnyArray
    ) -> list[str]:
        """Weight and bias through DequantizeLinear: one scale, or one a row."""
        constant, node = self.builder.constant, self.builder.node
        source, target = self.small.levels[step.xs[0]], self.small.levels[step.y]
        scales = numbers.scales(source, target)
        by_row = len(scales) > 1
        sums = numbers.weight.astype(np.int64).sum(axis=1)
        bias = numbers.bias + source.zero * sums  # as it was before it was folded
        given = {
            "weight": (weight, scales),
            "bias": (bias.astype(np.int32), np.float32(source.scale) * scales),
        }
        read = []
        for key, (whole, scale) in given.items():
            held = constant(f"{name}.{key}", whole)
            steps = constant(f"{name}.{key}.scale", scale if by_row else scale[0])
            axis = {"axis": 0} if by_row else {}
            read.append(
                node("DequantizeLinear", [held, steps], f"{name}/{key}", **axis)
            )
        return read

    def _real(self, value: int, shape: Shape, name: str) -> str:
        """A value in this shape, dequantized, for the step of that name."""
        x = self.values[value]
        if self.shapes[value] != shape:
            x = self.builder.reshape(x, shape, f"{name}/levels")
        numbers = self._scale(self.small.levels[value], f"{name}/x")
        return self.builder.node("DequantizeLinear", [x, *numbers], f"{name}/x")

    def _quantized(self, x: str, levels: Levels, name: str) -> str:
        """A real value as int8."""
        numbers = self._scale(levels, name)
        return self.builder.node("QuantizeLinear", [x, *numbers], name)

    def _bounded(self, step: Step, y: str, name: str) -> str:
        """The real answer of a step as int8, within the step's bounds."""
        levels = self.small.levels[step.y]
        ends = bounds(step, levels)
        if ends == (-128, 127):
            return self._quantized(y, levels, name)
        y = self._quantized(y, levels, f"{name}/unbounded")
        low, high = (
            self.builder.constant(f"{name}.{key}", np.array(end, np.int8))
            for key, end in zip(("low", "high"), ends, strict=True)
        )
        return self.builder.node("Clip", [y, low, high], name)

    def _scale(self, levels: Levels, name: str) -> list[str]:
        """Scale and zero point of a value."""
        constant = self.builder.constant
        return [
            constant(f"{name}.scale", np.array(levels.scale, np.float32)),
            constant(f"{name}.zero", np.array(levels.zero, np.int8)),
        ]


def _flat(plane: Plane) -> Shape:
    """Features are (C,), everything else stays a plane."""
    return plane[:1] if plane[1:] == (1, 1) else plane
