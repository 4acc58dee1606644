"""Each step of a program as C: its tables, the kernel it needs, and the call."""

import math
import re
from collections.abc import Iterable, Mapping

import numpy as np

from minprune._check import AnyArray
from minprune.export.c99.blocks import find
from minprune.export.c99.emulate import positive
from minprune.export.c99.library import Library
from minprune.export.c99.program import Layer, states, tables
from minprune.export.c99.target import Target
from minprune.export.c99.text import literal, struct
from minprune.nn.activation import LeakyReLU, Softmax
from minprune.nn.embedding import Embedding
from minprune.nn.norm import LayerNorm
from minprune.nn.window import Window
from minprune.quantize.arithmetic import ADD_SHIFT, AddNumbers
from minprune.quantize.graph import (
    Add,
    Affine,
    Gate,
    Kept,
    Plane,
    Pool,
    Scan,
    Step,
)


class Steps:
    """Tables, kernels and calls of all steps, collected in order.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Tables of weights, by the names they get in C.
    constants : list of str
        Definitions of structures.
    calls : list of str
        One statement or more for each step.
    library : Library
        Every kernel in use.
    """

    def __init__(self, target: Target, prefix: str = "") -> None:
        self.target, self.prefix = target, prefix
        self.arrays: dict[str, AnyArray] = {}
        self.constants: list[str] = []
        self.calls: list[str] = []
        form = "codes" if target.program.codes else target.program.dtype
        self.library = Library(form, target.macro)
        for index, step in enumerate(target.graph.steps):
            self._step(f"s{index}_{_identifier(step.name)}", step)

    def _step(self, ident: str, step: Step) -> None:
        """Collect the tables, the kernel and the call of one step."""
        xs, y = [self.target.value(v) for v in step.xs], self.target.value(step.y)
        match step:
            case Affine():
                self._affine(ident, step, xs[0], y)
            case Pool():
                self._pool(ident, step, xs[0], y)
            case Add():
                raised = f"(INT32_C(1) << {ADD_SHIFT})"
                self.library.use("add", ADD_RAISE=raised)
                self._constant("add_t", ident, self._add(step))
                self.calls.append(f"add(&{ident}, {xs[0]}, {xs[1]}, {y});")
            case Gate():
                self.library.use("gate")
                channels, plane = step.out[0], step.out[1] * step.out[2]
                self.calls.append(
                    f"gate({xs[0]}, {xs[1]}, {y}, {channels}U, {plane}U);"
                )
            case Scan():
                self._scan(ident, step, xs[0], y)
            case Kept():
                self._kept(ident, step, xs[0], y)
            case _:
                self.library.use("copy")
                low, high = self.target.bounds(step)
                at = 0
                for x, value in zip(xs, step.xs, strict=True):
                    size = self.target.graph.sizes[value]
                    to = self.target.value(step.y, at)
                    self.calls.append(f"copy({x}, {to}, {size}U, {low}, {high});")
                    at += size

    def _constant(self, kind: str, ident: str, fields: Mapping[str, object]) -> None:
        """Define a structure."""
        self.constants.append(struct("static const", kind, ident, fields))

    def _array(self, ident: str, values: AnyArray) -> str:
        """Name a table of weights; an empty one is NULL."""
        if not values.size:
            return "NULL"
        self.arrays[f"{self.prefix}{ident}"] = values
        return f"{self.prefix}{ident}"

    def _affine(self, ident: str, step: Affine, x: str, y: str) -> None:
        """A linear layer or a convolution."""
        layer = self.target.program.layers[step.name]
        fields = self._affine_fields(ident, layer)
        encoding = layer.chosen.encoding
        seen = layer.strip
        if seen is None:
            self._constant("affine_t", ident, fields)
            self.calls.append(f"{self._linear(layer)}(&{ident}, {x}, {y});")
            return
        lanes, kernel = str(seen.lanes), f"conv_{encoding}"
        self._rows(layer, lanes)
        self.library.use("conv", ENCODING=encoding, LANES=lanes)
        if self._asks(encoding):
            self.library.use("conv_asked", LANES=lanes)
            kernel = "conv_asked"
        channels = step.plane[0] // step.groups
        border = self.target.levels(step.xs[0]).zero if self.target.integer else "0.0F"
        conv: dict[str, object] = {
            "window": self._window(step.window, channels, step.plane, step.out, border),
            "affine": fields,
            "groups": step.groups,
            "offset": self._array(f"{ident}_offset", layer.tables.offset),
            "out_plane": step.out[1] * step.out[2],
            "phases": seen.phases,
            "length": seen.length,
        }
        self._constant("conv_t", ident, conv)
        work = self.target.work(step)
        self.calls.append(f"{kernel}_{lanes}(&{ident}, {x}, {y}, {work});")

    def _asks(self, encoding: str) -> bool:
        """Whether a kernel of the vendor could take it."""
        return encoding == "dense" and not self.target.program.codes

    def _rows(self, layer: Layer, lanes: str) -> None:
        """The kernel that multiplies with the rows of a layer."""
        encoding = find(layer.chosen.encoding)
        self.library.use(f"sums_{lanes}")
        words = {"ENCODING": encoding.name, **encoding.words(), "LANES": lanes}
        self.library.use(encoding.family, **words)

    def _linear(self, layer: Layer) -> str:
        """The kernel of a product with one vector."""
        encoding = layer.chosen.encoding
        self._rows(layer, "1")
        if self._asks(encoding):
            self.library.use("linear_dense")
        else:
            self.library.use("linear", ENCODING=encoding)
        return f"linear_{encoding}"

    def _scan(self, ident: str, step: Scan, x: str, y: str) -> None:
        """One direction of one level of a recurrent layer."""
        fields: dict[str, object] = {}
        names = {}
        for name, affine in (("inward", step.inward), ("around", step.around)):
            layer = self.target.program.layers[affine.name]
            fields[name] = self._affine_fields(f"{ident}_{name}", layer)
            names[name] = self._linear(layer).removeprefix("linear_")
        self._constant(
            "scan_t",
            ident,
            {
                **fields,
                "hidden": step.out[0],
                "states": states(step),
                "length": step.plane[2],
                "backwards": int(step.backwards),
                "last": int(step.last),
            },
        )
        self.library.use(f"cell_{step.cell}")
        words = {"CELL": step.cell, "INWARD": names["inward"]}
        self.library.use("scan", **words, AROUND=names["around"])
        kernel = f"scan_{step.cell}_{names['inward']}_{names['around']}"
        work = self.target.work(step)
        self.calls.append(f"{kernel}(&{ident}, {x}, {y}, {work}, steps);")

    def _kept(self, ident: str, step: Kept, x: str, y: str) -> None:
        """A layer that is computed in floating point as it is."""
        size, layer = math.prod(step.out), step.layer
        arrays = {
            name: self._array(f"{ident}_{name}", values)
            for name, values in tables(step).items()
        }
        match layer:
            case LeakyReLU():
                self.library.use("leaky")
                slope = literal(np.float32(layer.negative_slope))
                self.calls.append(f"leaky({x}, {y}, {size}U, {slope});")
            case Softmax():
                self.library.use("softmax")
                channels, plane = step.out[0], size // step.out[0]
                self.calls.append(f"softmax({x}, {y}, {channels}U, {plane}U);")
            case LayerNorm():
                self.library.use("norm")
                eps = literal(np.float32(layer.eps))
                self._constant("norm_t", ident, {**arrays, "size": size, "eps": eps})
                self.calls.append(f"norm(&{ident}, {x}, {y});")
            case Embedding():
                self.library.use("embed")
                symbols, features = layer.params["weight"].shape
                sizes = f"{symbols}U, {features}U, {x}, {y}, {step.plane[0]}U"
                self.calls.append(
                    f"if (!embed({arrays['weight']}, {sizes})) {{\n"
                    f"        return {self.target.macro}_ERROR_INPUT;\n    }}"
                )
            case _:
                function = layer.kind.lower()
                self.library.use(function)
                self.library.use("each", FUNCTION=function)
                self.calls.append(f"each_{function}({x}, {y}, {size}U);")

    def _affine_fields(self, ident: str, layer: Layer) -> dict[str, object]:
        """Tables, sizes and bounds of an affine step."""
        step, tables = layer.step, layer.tables
        held = {"weight": tables.weight}
        if self.target.program.codes:
            held = {"codes": tables.weight, "book": tables.book}
        fields: dict[str, object] = {
            name: self._array(f"{ident}_{name}", values)
            for name, values in (
                ("count", tables.count),
                ("index", tables.index),
                *held.items(),
            )
        }
        low, high = self.target.bounds(step)
        sizes = {
            "rows": step.out[0] // step.groups,
            "columns": step.matrix.shape[1],
        }
        bias = f"{ident}_bias"
        if not self.target.integer:
            fields["bias"] = self._array(bias, positive(step.bias))
            return fields | sizes | {"low": low, "high": high}
        numbers = self.target.numbers(step)
        fields["bias"] = self._array(bias, numbers.bias)
        for name, values in (
            ("multiplier", numbers.multiplier),
            ("exponent", numbers.exponent.astype(np.int8)),
        ):
            fields[name] = self._array(f"{ident}_{name}", values)
        zero = self.target.levels(step.y).zero
        by_row = int(len(numbers.multiplier) > 1)
        ends = {"by_row": by_row, "zero": zero, "low": low, "high": high}
        return fields | sizes | ends

    def _pool(self, ident: str, step: Pool, x: str, y: str) -> None:
        """The largest or the mean."""
        kind = "pool_max" if step.largest else "pool_mean"
        self.library.use(kind)
        border: object = "0.0F"
        if self.target.integer:
            border = -128 if step.largest else self.target.levels(step.xs[0]).zero
        elif step.largest:
            border = "-FLT_MAX"
        low, high = self.target.bounds(step)
        window = self._window(step.window, step.plane[0], step.plane, step.out, border)
        fields = {"window": window, "low": low, "high": high}
        self._constant("pool_t", ident, fields)
        self.calls.append(f"{kind}(&{ident}, {x}, {y});")

    def _window(
        self, view: Window, channels: int, plane: Plane, out: Plane, border: object
    ) -> dict[str, object]:
        """The fields of `window_t`."""
        return {
            "channels": channels,
            "height": plane[1],
            "width": plane[2],
            "plane": plane[1] * plane[2],
            "out_height": out[1],
            "out_width": out[2],
            "rows": view.kernel[0],
            "columns": view.kernel[1],
            "stride_rows": view.stride[0],
            "stride_columns": view.stride[1],
            "top": view.padding[0][0],
            "left": view.padding[1][0],
            "dilation_rows": view.dilation[0],
            "dilation_columns": view.dilation[1],
            "border": border,
        }

    def _add(self, step: Add) -> dict[str, object]:
        """The fields of `add_t`."""
        low, high = self.target.bounds(step)
        ends: dict[str, object] = {"low": low, "high": high}
        ends["size"] = self.target.graph.sizes[step.y]
        if not self.target.integer:
            return ends
        numbers = self.target.quantized().numbers[step.y]
        if not isinstance(numbers, AddNumbers):
            raise TypeError(f"export: {step.name} is a sum without factors")
        zeros = [self.target.levels(value).zero for value in (*step.xs, step.y)]
        return {
            "multiplier": _list(numbers.multiplier),
            "exponent": _list(numbers.exponent),
            "zero": _list(zeros),
            **ends,
        }


def _list(values: Iterable[int]) -> str:
    """Numbers in braces."""
    return "{" + ", ".join(map(str, values)) + "}"


def _identifier(name: str) -> str:
    """A dotted name as part of a C identifier."""
    return re.sub(r"[^A-Za-z0-9]", "_", name)
