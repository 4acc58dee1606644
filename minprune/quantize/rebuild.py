"""A quantized network from its manifest and its arrays, nothing of which is trusted."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np

from minprune._check import AnyArray, BoolArray, FloatArray
from minprune.files import stored
from minprune.nn.tree import join
from minprune.nn.window import Window, window
from minprune.quantize.arithmetic import SUM_LIMIT, AddNumbers, AffineNumbers, Levels
from minprune.quantize.form import FORMAT, KINDS, Numbers
from minprune.quantize.graph import Add, Affine, Concat, Graph, Plane, Pool, Step


def rebuild(
    manifest: Mapping[str, Any], tensors: Mapping[str, AnyArray]
) -> tuple[Graph, dict[int, Levels], Numbers]:
    """Graph, levels and numbers of what `form.describe` and `form.state` have given.

    Raises
    ------
    ValueError
        In one line with the field and the fault, if anything is missing, left over,
        of the wrong type or shape, or could overflow.
    """
    try:
        return _Reader(tensors).read(manifest)
    except (KeyError, TypeError, AttributeError, RecursionError) as why:
        raise ValueError(f"QuantizedNetwork: the manifest garbles {why}") from why


@dataclass
class _Reader:
    """Reads a network from its manifest, and takes its arrays by name."""

    tensors: Mapping[str, AnyArray]

    def read(
        self, manifest: Mapping[str, Any]
    ) -> tuple[Graph, dict[int, Levels], Numbers]:
        """See `rebuild`."""
        if manifest["format"] != FORMAT:
            _refuse(
                "the manifest",
                f"its format is {manifest['format']!r}; this version of minprune reads "
                f"format {FORMAT}",
                "update minprune or write the file again",
            )
        root = manifest["root"]
        if root["args"] or not root["children"]:
            _refuse("the root", "it must have steps and no arguments")
        self.left = set(self.tensors)
        shape = tuple(_whole("input_shape", n, 1) for n in manifest["input_shape"])
        scale, offset = self._door("scale", shape), self._door("offset", shape)
        self.levels = self._levels(len(root["children"]) + 1)
        self.sizes = {0: math.prod(shape)}
        self.numbers: Numbers = {}
        steps, names = [], set()
        for y, child in enumerate(root["children"], 1):
            name = child["name"]
            plain = isinstance(name, str) and isinstance(child["args"], dict)
            if not plain or name in names or child["children"]:
                _refuse("the root", f"step {y} has no name of its own")
            names.add(name)
            step = self._step(y, child["kind"], name, dict(child["args"]))
            self.sizes[y] = math.prod(step.out)
            steps.append(step)
        if self.left:
            _refuse(sorted(self.left)[0], "it belongs to no step")
        classes = tuple(str(text) for text in manifest["classes"])
        graph = Graph(
            tuple(steps), self.sizes, len(steps), shape, classes, scale, offset
        )
        return graph, self.levels, self.numbers

    def _step(self, y: int, kind: str, name: str, args: dict[str, Any]) -> Step:
        """A step, its numbers filed under the value it writes."""
        if kind not in KINDS:
            _refuse(f"step {name}", f"its kind is {kind!r}; known: {', '.join(KINDS)}")
        cls = KINDS[kind]
        xs = tuple(_whole("reads", x, 0, y - 1) for x in args.pop("reads"))
        count = {Add: 2, Concat: len(xs)}.get(cls, 1)
        if len(xs) != count or not xs:
            _refuse(f"step {name}", f"it reads {len(xs)} values")
        plane = _plane(args.pop("plane"))
        if cls is Concat:
            fits = math.prod(plane) == sum(self.sizes[x] for x in xs) and not any(
                self.sizes[x] % (plane[1] * plane[2]) for x in xs
            )
        else:
            fits = all(self.sizes[x] == math.prod(plane) for x in xs)
        if not fits:
            _refuse(f"step {name}", f"its plane {plane} does not fit what it reads")
        levels = _whole("low", args.pop("low"), -128, 127), args.pop("high")
        if _whole("high", levels[1], -128, 127) < levels[0]:
            _refuse(f"step {name}", f"its bounds {levels} are in no order")
        low, high = self._real(y, levels)
        where = name, xs, y, plane
        if cls not in (Affine, Add) and any(
            self.levels[x] != self.levels[y] for x in xs
        ):
            _refuse(f"step {name}", "it cannot change levels, but they differ")
        step: Step
        if cls is Affine:
            step = self._affine(where, args)
        elif cls is Pool:
            largest = args.pop("largest")
            if type(largest) is not bool:
                _refuse(f"step {name}", "largest is neither true nor false")
            view = _window(name, args)
            if any(max(p) >= k for p, k in zip(view.padding, view.kernel, strict=True)):
                _refuse(f"step {name}", "its padding lets a window see padding alone")
            out = plane[0], *view.output(f"step {name}", *plane[1:])
            step = Pool(*where, out, largest, view)
        else:
            step = cls(*where, plane)
            if cls is Add:
                self.numbers[y] = self._add(name)
        if args:
            _refuse(f"step {name}", f"a {kind} has no use for {sorted(args)[0]!r}")
        return replace(step, low=low, high=high)

    def _affine(
        self,
        where: tuple[str, tuple[int, ...], int, Plane],
        args: dict[str, Any],
    ) -> Affine:
        """A convolution, and its integers."""
        name, xs, y, plane = where
        outputs = _whole("out_channels", args.pop("out_channels"), 1)
        groups, kind = _whole("groups", args.pop("groups"), 1), args.pop("layer")
        if outputs % groups or plane[0] % groups or not isinstance(kind, str):
            _refuse(f"step {name}", f"{groups} groups do not divide its channels")
        view = _window(name, args)
        out = outputs, *view.output(f"step {name}", *plane[1:])
        shape = (outputs, plane[0] // groups, *view.kernel)
        weight, mask = self._weight(join(name, "weight"), shape)
        multiplier, exponent = self._factor(name, {(1,), (outputs,)}, 30)
        bias = self._take(join(name, "bias"), np.int32, {(outputs,)})
        matrix = weight.reshape(outputs, -1)
        numbers = AffineNumbers(matrix, bias, multiplier, exponent)
        if (over := numbers.overflowing()).size:
            _refuse(
                f"step {name}",
                f"the sum of row {over[0]} may reach {SUM_LIMIT} or more",
            )
        self.numbers[y] = numbers
        source = self.levels[xs[0]]
        scale = numbers.scales(source, self.levels[y])
        if not np.isfinite(scale).all():
            _refuse(f"step {name}", "the scale of a weight is not finite")
        along = scale.reshape(-1, 1, 1, 1)
        real = (weight * along).astype(np.float32)
        unfolded = bias + source.zero * matrix.sum(axis=1, dtype=np.int64)
        shift = unfolded * (source.scale * scale.astype(float))
        return Affine(*where, out, kind, real, mask, shift, view, groups)

    def _weight(self, name: str, shape: tuple[int, ...]) -> tuple[AnyArray, BoolArray]:
        """int8 weights, zero where pruned, and the mask."""
        weight, mask = stored.decode(name, self.tensors, shape)
        if weight.dtype != np.int8 or (weight == -128).any():
            _refuse(name, f"it is {weight.dtype}; expected int8 from -127 to 127")
        self.left -= set(stored.names(name, self.tensors))
        return weight, np.ones(shape, bool) if mask is None else mask

    def _add(self, name: str) -> AddNumbers:
        """The factors of a sum: no side may grow, and both together not by much."""
        multiplier, exponent = self._factor(name, {(3,)}, 2)
        if max(exponent[:2]) > 0:
            _refuse(join(name, "exponent"), "a side of the sum would overflow")
        m, e = multiplier.tolist(), exponent.tolist()
        return AddNumbers((m[0], m[1], m[2]), (e[0], e[1], e[2]))

    def _factor(
        self, name: str, shapes: set[tuple[int, ...]], most: int
    ) -> tuple[AnyArray, AnyArray]:
        """Multipliers and exponents as `split` gives them."""
        multiplier = self._take(join(name, "multiplier"), np.int32, shapes)
        shape = {multiplier.shape}
        exponent = self._take(join(name, "exponent"), np.int8, shape).astype(np.int32)
        good = (multiplier >= 2**30) & (exponent >= -31) & (exponent <= most)
        if not (good | ((multiplier == 0) & (exponent == 0))).all():
            _refuse(join(name, "multiplier"), "it is no multiplier with its exponent")
        return multiplier, exponent

    def _levels(self, count: int) -> dict[int, Levels]:
        """Scale and zero point of every value."""
        scales = self._take("levels.scale", np.float32, {(count,)})
        zeros = self._take("levels.zero", np.int8, {(count,)})
        if not (np.isfinite(scales) & (scales > 0)).all():
            _refuse("levels.scale", "a scale is not a finite number above zero")
        pairs = zip(scales.tolist(), zeros.tolist(), strict=True)
        return {value: Levels(*pair) for value, pair in enumerate(pairs)}

    def _real(self, y: int, ends: Sequence[int]) -> tuple[float, float]:
        """Bounds in levels as real numbers; the last level is no bound at all."""
        at, (low, high) = self.levels[y], ends
        return (
            -math.inf if low == -128 else (low - at.zero) * at.scale,
            math.inf if high == 127 else (high - at.zero) * at.scale,
        )

    def _door(self, name: str, shape: tuple[int, ...]) -> FloatArray:
        """Scale or offset of raw samples, broadcastable to one."""
        found = self._take(f"preprocess.{name}", None, None)
        fits = found.ndim == len(shape) and all(
            n in (1, m) for n, m in zip(found.shape, shape, strict=True)
        )
        if not fits or found.dtype.kind not in "fi" or not np.isfinite(found).all():
            fault = f"it is of shape {found.shape}; expected finite numbers for {shape}"
            _refuse(f"preprocess.{name}", fault)
        return found.astype(np.float32)

    def _take(
        self,
        name: str,
        dtype: type[np.generic] | None,
        shapes: set[tuple[int, ...]] | None,
    ) -> AnyArray:
        """An array of this type and one of these shapes; None allows any."""
        if name not in self.left:
            _refuse(name, "it is missing from the file, or asked for twice")
        found = self.tensors[name]
        wrong = dtype is not None and found.dtype != dtype
        if wrong or (shapes is not None and found.shape not in shapes):
            fault = f"it is {found.dtype} of shape {found.shape}; expected "
            fault += f"{np.dtype(dtype)} of shape "
            fault += " or ".join(map(str, sorted(shapes or ())))
            _refuse(name, fault)
        self.left.discard(name)
        return found


def _window(name: str, args: dict[str, Any]) -> Window:
    """The window of a step."""
    keys = "kernel_size", "stride", "padding", "dilation"
    kernel, stride, padding, dilation = (args.pop(key) for key in keys)
    if not isinstance(padding, list) or not all(isinstance(p, list) for p in padding):
        _refuse(f"step {name}", f"padding is {padding!r}; expected pairs")
    return window(f"step {name}", 2, kernel, stride, padding, dilation)


def _plane(value: Any) -> Plane:
    """Channels, rows and columns."""
    channels, rows, columns = value
    sizes = [_whole("plane", n, 1) for n in (channels, rows, columns)]
    return sizes[0], sizes[1], sizes[2]


def _whole(name: str, value: Any, least: int, most: int = 2**31 - 1) -> int:
    """A whole number within bounds."""
    if type(value) is not int or not least <= value <= most:
        _refuse(name, f"it is {value!r}; expected a whole number {least} to {most}")
    return value


def _refuse(
    field: str, fault: str, remedy: str = "fetch or save the file anew"
) -> NoReturn:
    """Raise the one error of this module."""
    raise ValueError(f"QuantizedNetwork: {field}: {fault}; {remedy}")
