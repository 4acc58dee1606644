"""The sources' worked examples, with the values that their own formulas give.

`docs/errata.md` lists those whose printed result is another.
"""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune.criteria.gradient import gradient_magnitude
from minprune.criteria.magnitude import (
    deviation_magnitude,
    deviation_mask,
    layer_magnitude,
    magnitude,
)
from minprune.criteria.norm import l2_norm
from minprune.masks import above, at_least

ERRATA = Path(__file__).parents[2] / "docs/errata.md"

FOUR = np.array([[1.0, 2.0], [3.0, 4.0]])
FOUR_GRAD = np.array([[0.5, -0.5], [1.5, -1.5]])
NINE = np.arange(1.0, 10.0).reshape(3, 3)
NINE_GRAD = np.array([[0.1, -0.1, 0.1], [0.2, -0.2, 0.2], [0.3, -0.3, 0.3]])
SIX = np.array([[0.05, 0.2, 0.3], [0.1, 0.4, 0.5]])
IMPORTANCE = np.array([[0.3, 0.6, 0.9], [0.4, 0.7, 0.8]])

# What the mask is laid on, the mask, and what is left. In the order of the errata.
EXAMPLES = [
    (FOUR, at_least(magnitude(FOUR), 3), [[0, 0], [3, 4]]),
    (FOUR, at_least(gradient_magnitude(FOUR_GRAD), 1), [[0, 0], [3, 4]]),
    (NINE, at_least(magnitude(NINE), 5), [[0, 0, 0], [0, 5, 6], [7, 8, 9]]),
    (NINE, at_least(magnitude(NINE), 3), [[0, 0, 3], [4, 5, 6], [7, 8, 9]]),
    (NINE, at_least(magnitude(NINE), 3), [[0, 0, 3], [4, 5, 6], [7, 8, 9]]),
    (
        NINE,
        at_least(gradient_magnitude(NINE_GRAD), 0.2),
        [[0, 0, 0], [4, 5, 6], [7, 8, 9]],
    ),
    (SIX, at_least(magnitude(SIX), 0.1), [[0, 0.2, 0.3], [0.1, 0.4, 0.5]]),
    (1.0, above(IMPORTANCE, 0.5), [[0, 1, 1], [0, 1, 1]]),
]


@pytest.mark.parametrize(("weight", "mask", "left"), EXAMPLES)
def test_the_formula_leaves_this(weight, mask, left):
    assert_array_equal(np.where(mask, weight, 0), left)


def test_the_errata_print_both_results():
    """The page says what the formula gives, and lists nothing that is not an error."""
    table = ERRATA.read_text().split("## ")[1]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    cells = [re.split(r"(?<!\\)\|", row)[4:6] for row in rows]
    for (printed, formula), (_, _, left) in zip(cells, EXAMPLES, strict=True):
        assert ast.literal_eval(formula.strip()) == left
        assert ast.literal_eval(printed.strip()) != left


def test_six_of_ten_kernels_reach_a_half():
    """Kernels of sizes .1, .2, ..., 1: the constraint keeps the one of size .5."""
    sizes = np.arange(1, 11) / 10
    kernels = sizes[:, None, None, None] * np.ones((1, 1, 1, 1))
    kept = at_least(l2_norm(kernels), 0.5)
    assert_array_equal(kept, sizes >= 0.5)
    assert kept.sum() == 6


@pytest.mark.parametrize("factor", [0.01, 0.05, 1.0])
def test_a_factor_times_the_standard_deviation(factor):
    weight = np.random.default_rng(0).normal(size=(20, 30))
    kept = deviation_mask(weight, quality=factor)
    assert_array_equal(kept, np.abs(weight) >= factor * np.std(weight))
    assert_array_equal(kept, at_least(deviation_magnitude(weight), factor))
    assert kept[weight < 0].any()  # the printed `w < threshold` removes all of these


def test_whole_arrays_of_at_least_the_median_stay():
    sizes = {"w1": 0.5, "w2": 0.1, "w3": 0.3, "w4": 0.9, "w5": 0.2}
    signs = np.array([[1.0, -1.0], [-1.0, 1.0]])
    scores = {name: layer_magnitude(size * signs) for name, size in sizes.items()}
    kept = at_least(scores, float(np.median(list(scores.values()))))
    assert [name for name in sizes if kept[name]] == ["w1", "w3", "w4"]
