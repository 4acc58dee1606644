"""Hypothesis strategies for whoever tests pruning: the inputs where toolkits differ.

Every function returns a strategy; Hypothesis itself is imported when one is made, so
that the seeded checks run without it. Scores have ties, zeros, denormals and huge
ratios; layers have empty rows and columns; sparsities are per cents.

Examples
--------
>>> from hypothesis import find
>>> from minprune.conformance import strategies
>>> case = find(strategies.tied_requests(), lambda case: case["scores"]["w"].size > 3)
>>> sorted(case), case["scores"]["w"].size
(['scores', 'sparsity'], 4)
"""

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from minprune.conformance import cases, nets

BASIC = ("weight", "grad", "hess_diag", "fisher_diag", "input_norm")
"""Evidence that criteria most often ask for."""


def _st() -> Any:
    """Hypothesis's strategies, or one line that says how to get them."""
    try:
        from hypothesis import strategies
    except ImportError:
        raise ImportError(
            "searching needs Hypothesis, which is not installed: "
            'python -m pip install "minprune[test]"'
        ) from None
    return strategies


def sparsities() -> Any:
    """Whole per cents, 0 and 1 included."""
    return _st().integers(0, 100).map(lambda percent: percent / 100)


def _seeded(build: Any, **drawn: Any) -> Any:
    """Cases built from drawn sizes and a drawn seed; sizes shrink, numbers need not."""
    st = _st()

    def make(values: dict[str, Any]) -> Any:
        rng = np.random.default_rng(values.pop("seed"))
        return build(rng, **values)

    return st.fixed_dictionaries({"seed": st.integers(0, 2**32 - 1), **drawn}).map(make)


def untied_requests() -> Any:
    """One layer, all scores different, and a sparsity."""
    return _seeded(
        lambda rng, size, sparsity: {
            "scores": {"w": rng.permutation(size) + 1.0},
            "sparsity": sparsity,
        },
        size=_st().integers(1, 120),
        sparsity=sparsities(),
    )


def tied_requests() -> Any:
    """One layer, few different scores, and a sparsity."""
    st = _st()
    scores = st.lists(st.integers(0, 2), min_size=1, max_size=20)
    return st.fixed_dictionaries(
        {
            "scores": scores.map(lambda values: {"w": np.array(values, float)}),
            "sparsity": sparsities(),
        }
    )


def hard_requests() -> Any:
    """Any finite float64 scores, all different: denormals, huge ratios, either zero."""
    st = _st()
    number = st.floats(allow_nan=False, allow_infinity=False)
    return st.fixed_dictionaries(
        {
            "scores": st.lists(number, min_size=1, max_size=12, unique=True).map(
                lambda values: {"w": np.array(values)}
            ),
            "sparsity": sparsities(),
        }
    )


def untied_layers() -> Any:
    """Two or three layers, all scores of the network different, and a sparsity."""

    def build(rng: Any, sizes: list[int], sparsity: float) -> dict[str, Any]:
        numbers = rng.permutation(sum(sizes)) + 1.0
        parts = np.split(numbers, np.cumsum(sizes)[:-1])
        names = (f"w{i}" for i in range(len(sizes)))
        return {"scores": dict(zip(names, parts, strict=True)), "sparsity": sparsity}

    sizes = _st().lists(_st().integers(1, 12), min_size=2, max_size=3)
    return _seeded(build, sizes=sizes, sparsity=_st().sampled_from(_feasible()))


def tied_layers() -> Any:
    """Two layers with few different scores."""
    st = _st()
    scores = st.lists(st.integers(0, 1), min_size=2, max_size=8)
    return st.fixed_dictionaries(
        {
            "scores": st.tuples(scores, scores).map(
                lambda two: {f"w{i}": np.array(v, float) for i, v in enumerate(two)}
            ),
            "sparsity": st.sampled_from(_feasible()),
        }
    )


def _feasible() -> list[float]:
    """Sparsities that leave room for the default floor of one weight a layer."""
    return [0.0, 0.1, 0.25, 0.3, 0.4, 0.5]


def group_requests() -> Any:
    """Weights whose axis groups divide, scores with and without ties."""

    def build(rng: Any, keep: int, rest: int, groups: int, rows: int) -> dict[str, Any]:
        group = keep + rest
        scores = rng.integers(9, size=(rows, groups * group)) * 1.0
        return {"scores": scores, "keep": keep, "group": group, "axis": 1}

    small = _st().integers(1, 3)
    return _seeded(build, keep=small, rest=small, groups=small, rows=small)


def unit_requests() -> Any:
    """A matrix of scores and a sparsity of its units."""
    return _seeded(
        lambda rng, rows, columns, sparsity: {
            "scores": rng.random((rows, columns)),
            "sparsity": sparsity,
        },
        rows=_st().integers(1, 8),
        columns=_st().integers(1, 5),
        sparsity=sparsities(),
    )


def allocation_requests() -> Any:
    """Shapes of linear and convolution layers, and a sparsity."""
    st = _st()
    side, kernel = st.integers(1, 40), st.sampled_from([(), (1, 1), (3, 3)])
    shape = st.tuples(side, side, kernel).map(lambda s: (s[0], s[1], *s[2]))
    shapes = st.lists(shape, min_size=1, max_size=4).map(
        lambda found: {f"w{i}": s for i, s in enumerate(found)}
    )
    return st.fixed_dictionaries({"shapes": shapes, "sparsity": sparsities()}).filter(
        lambda case: prod(max(case["shapes"].values(), key=prod)) > 0
    )


def frames() -> Any:
    """A curve and its frame."""
    st = _st()

    def build(values: dict[str, Any]) -> dict[str, Any]:
        low, high = sorted((values.pop("one") / 100, values.pop("other") / 100))
        span = values.pop("span")
        return values | {"initial": low, "final": high, "end": values["begin"] + span}

    return st.fixed_dictionaries(
        {
            "curve": st.sampled_from(["linear", "cubic", "cosine", "exponential"]),
            "begin": st.integers(0, 5),
            "span": st.integers(1, 30),
            "frequency": st.integers(1, 7),
            "one": st.integers(0, 99),
            "other": st.integers(0, 99),
        }
    ).map(build)


def evidence(needs: Iterable[str] = BASIC, **sizes: int) -> Any:
    """Evidence of one layer, by name.

    Parameters
    ----------
    needs : iterable of str
        Which, as the cards of the catalog name it.
    **sizes : int
        Lengths of axes that are not to be drawn, as in `cases.CONV`.
    """

    def build(rng: Any, **drawn: int) -> dict[str, Any]:
        return {"given": cases.evidence(rng, needs, drawn | sizes)}

    side = _st().integers(2, 4)
    return _seeded(build, **{"out": side, "in": side})


def layers() -> Any:
    """A weight, a mask (of any density), inputs and a gradient at the outputs."""

    def build(rng: Any, out: int, into: int, batch: int, density: float) -> Any:
        return cases.layer(rng, (out, into), batch, density)

    side = _st().integers(1, 8)
    density = _st().sampled_from([0.0, 0.1, 0.5, 1.0])
    return _seeded(build, out=side, into=side, batch=side, density=density)


def networks(*names: str) -> Any:
    """A small network as `definition.networks` writes it, an input, and units to go.

    Parameters
    ----------
    *names : str
        Which of `nets.NETS`, by what is tied in them; all, if none is named.
    """

    def build(rng: Any, name: str) -> dict[str, Any]:
        net, x, removed = nets.NETS[name](rng)
        return {"net": net, "x": x, "removed": removed}

    return _seeded(build, name=_st().sampled_from(names or sorted(nets.NETS)))


def stored() -> Any:
    """A float32 weight and a mask."""
    return layers().map(lambda case: {key: case[key] for key in ("weight", "mask")})
