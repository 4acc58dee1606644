"""What every part of the generator asks: names, sizes, levels and bounds."""

import re

from minprune.export.c99.emulate import LARGEST, real_bounds
from minprune.export.c99.program import Program
from minprune.export.c99.text import literal
from minprune.quantize import arithmetic
from minprune.quantize.arithmetic import AffineNumbers, Levels
from minprune.quantize.graph import Affine, Step
from minprune.quantize.network import QuantizedNetwork

INCLUDED = "stddef", "stdint", "stdbool", "float"
"""Headers of C, which a file of the same name could hide."""


class Target:
    """A program under the name that its C gets."""

    def __init__(self, program: Program, name: str) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(
                f"export: name is {name!r}; expected a C identifier in lower case"
            )
        if name in INCLUDED:
            raise ValueError(
                f"export: name is {name!r}, but {name}.h is a header of C that the "
                f"source includes; expected a name that hides none"
            )
        self.program, self.graph, self.name = program, program.graph, name
        self.macro = name.upper()
        self.const = f"static const {self.macro}_TABLE"
        self.integer = program.dtype == "int8"
        self.inputs = self.graph.sizes[0]
        self.outputs = self.graph.sizes[self.graph.output]
        self.steps = program.length > 0

    def scales(self) -> bool:
        """Whether raw samples are changed at all on their way in."""
        return bool((self.graph.scale != 1).any() or self.graph.offset.any())

    def door_bytes(self) -> int:
        """What `predict_f32` needs beside the arena."""
        if self.integer:
            return self.inputs + self.outputs
        return 4 * self.inputs if self.scales() else 0

    def quantized(self) -> QuantizedNetwork:
        """The quantized network of an integer program."""
        if self.program.quantized is None:
            raise TypeError("export: a float32 program has no levels")
        return self.program.quantized

    def levels(self, value: int) -> Levels:
        """Scale and zero point of a value."""
        return self.quantized().levels[value]

    def numbers(self, step: Affine) -> AffineNumbers:
        """The integers of an affine step."""
        numbers = self.quantized().numbers[step.y]
        if not isinstance(numbers, AffineNumbers):
            raise TypeError(f"export: {step.name} has no integer weights")
        return numbers

    def bounds(self, step: Step) -> tuple[str, str]:
        """The bounds of a step as constants."""
        if self.integer:
            low, high = arithmetic.bounds(step, self.levels(step.y))
            return str(low), str(high)
        ends = real_bounds(step)
        names = {float(-LARGEST): "-FLT_MAX", float(LARGEST): "FLT_MAX"}
        low_text, high_text = (names.get(float(x), literal(x)) for x in ends)
        return low_text, high_text

    def value(self, value: int, at: int = 0) -> str:
        """Where a value lies, as a C expression."""
        if value == 0:
            return "in"
        if value == self.graph.output:
            return f"&out[{at}]" if at else "out"
        return f"&a[{self.program.offsets[f'v{value}'] + at}]"

    def work(self, step: Step) -> str:
        """The room that a step works in, as a C expression."""
        return f"&a[{self.program.offsets[f'work{step.y}']}]"

    def prototype(self, suffix: str, steps: bool) -> str:
        """The head of ``predict`` or, with ``"_f32"``, of what takes raw samples.

        With `steps`, of the function that takes the steps of a signal that count.
        """
        x, y = ("raw", "logits") if suffix else ("in", "out")
        kind = "float" if suffix else f"{self.name}_value_t"
        end, more = ("_steps", " uint16_t steps,") if steps else ("", "")
        return (
            f"int {self.name}_predict{suffix}{end}(\n"
            f"    const {kind} {x}[{self.macro}_INPUT_LEN],{more}\n"
            f"    {kind} {y}[{self.macro}_OUTPUT_LEN],\n"
            f"    void *arena, size_t arena_bytes)"
        )
