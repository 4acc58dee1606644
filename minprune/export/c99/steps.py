"""Each step of a program as C: its tables, the kernel it needs, and the call."""

import re
from collections.abc import Iterable

import numpy as np

from minprune._check import AnyArray
from minprune.export.c99.choose import LANES
from minprune.export.c99.program import Layer
from minprune.export.c99.target import Target
from minprune.export.c99.text import kernel, struct, table
from minprune.nn.window import Window
from minprune.quantize.arithmetic import ADD_SHIFT, AddNumbers
from minprune.quantize.graph import Add, Affine, Plane, Pool, Step


class Steps:
    """Tables, kernels and calls of all steps, collected in order.

    Attributes
    ----------
    tables : list of str
        Definitions of constants.
    calls : list of str
        One statement or more for each step.
    kernels : dict of str to str
        The text of every kernel in use, by its name.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.tables: list[str] = []
        self.calls: list[str] = []
        self.kernels: dict[str, str] = {}
        for index, step in enumerate(target.graph.steps):
            self._step(index, step)

    def _step(self, index: int, step: Step) -> None:
        """Collect the tables, the kernel and the call of one step."""
        ident = f"s{index}_{re.sub(r'[^A-Za-z0-9]', '_', step.name)}"
        xs, y = [self.target.value(v) for v in step.xs], self.target.value(step.y)
        match step:
            case Affine():
                self._affine(ident, step, xs[0], y)
            case Pool():
                self._pool(ident, step, xs[0], y)
            case Add():
                raised = f"(INT32_C(1) << {ADD_SHIFT})"
                text = kernel(f"add_{self.target.program.dtype}")
                self.kernels["add"] = text.replace("ADD_RAISE", raised)
                self.tables.append(
                    struct("static const", "add_t", ident, self._add(step))
                )
                self.calls.append(f"add(&{ident}, {xs[0]}, {xs[1]}, {y});")
            case _:
                self.kernels["copy"] = kernel("copy")
                low, high = self.target.bounds(step)
                at = 0
                for x, value in zip(xs, step.xs, strict=True):
                    size = self.target.graph.sizes[value]
                    to = self.target.value(step.y, at)
                    self.calls.append(f"copy({x}, {to}, {size}U, {low}, {high});")
                    at += size

    def _affine(self, ident: str, step: Affine, x: str, y: str) -> None:
        """A linear layer or a convolution."""
        layer = self.target.program.layers[step.y]
        encoding, lanes = layer.chosen.encoding, 1 if layer.linear else LANES
        rows = kernel(encoding).replace("LANES", str(lanes))
        self.kernels[f"rows_{encoding}_{lanes}"] = rows
        fields = self._affine_fields(ident, layer)
        kind = "linear" if layer.linear else "conv"
        caller = kernel(kind).replace("ENCODING", encoding)
        self.kernels[f"{kind}_{encoding}"] = caller
        if layer.linear:
            self.tables.append(struct("static const", "affine_t", ident, fields))
            self.calls.append(f"linear_{encoding}(&{ident}, {x}, {y});")
            return
        self.kernels["gather"] = kernel("gather")
        channels = step.plane[0] // step.groups
        border = self.target.levels(step.xs[0]).zero if self.target.integer else "0.0F"
        conv: dict[str, object] = {
            "window": self._window(step.window, channels, step.plane, step.out, border),
            "affine": fields,
            "groups": step.groups,
            "out_plane": step.out[1] * step.out[2],
        }
        self.tables.append(struct("static const", "conv_t", ident, conv))
        patch = f"&a[{self.target.program.offsets[f'patch{step.y}']}]"
        self.calls.append(f"conv_{encoding}(&{ident}, {x}, {y}, {patch});")

    def _affine_fields(self, ident: str, layer: Layer) -> dict[str, object]:
        """Tables, sizes and bounds of an affine step."""
        step, tables = layer.step, layer.tables
        fields: dict[str, object] = {}

        def file(key: str, values: AnyArray) -> None:
            fields[key] = f"{ident}_{key}" if values.size else "NULL"
            if values.size:
                self.tables.append(table(self.target.const, f"{ident}_{key}", values))

        file("count", tables.count)
        file("index", tables.index)
        file("weight", tables.weight)
        low, high = self.target.bounds(step)
        sizes = {
            "rows": step.out[0] // step.groups,
            "columns": step.matrix.shape[1],
        }
        if not self.target.integer:
            file("bias", step.bias.astype(np.float32))
            return fields | sizes | {"low": low, "high": high}
        numbers = self.target.numbers(step)
        file("bias", numbers.bias)
        file("multiplier", numbers.multiplier)
        file("exponent", numbers.exponent.astype(np.int8))
        zero = self.target.levels(step.y).zero
        by_row = int(len(numbers.multiplier) > 1)
        ends = {"by_row": by_row, "zero": zero, "low": low, "high": high}
        return fields | sizes | ends

    def _pool(self, ident: str, step: Pool, x: str, y: str) -> None:
        """The largest or the mean."""
        kind = "pool_max" if step.largest else "pool_mean"
        self.kernels[kind] = kernel(kind)
        border: object = "0.0F"
        if self.target.integer:
            border = -128 if step.largest else self.target.levels(step.xs[0]).zero
        elif step.largest:
            border = "-FLT_MAX"
        low, high = self.target.bounds(step)
        window = self._window(step.window, step.plane[0], step.plane, step.out, border)
        fields = {"window": window, "low": low, "high": high}
        self.tables.append(struct("static const", "pool_t", ident, fields))
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
