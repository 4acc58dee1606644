"""Cutting at a given score instead of a given count.

Here the score decides how many stay: equal scores stay or go together, and a layer may
vanish. `minprune.masks.select` is the form with exact counts.
"""

import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, overload

import numpy as np

from minprune._check import BoolArray, FloatArray
from minprune.masks import _request
from minprune.masks._request import ALONE, Masks, Scores
from minprune.masks.count import Share, share


@overload
def at_least(scores: FloatArray, value: float) -> BoolArray: ...
@overload
def at_least(scores: Scores, value: float | Mapping[str, float]) -> Masks: ...
def at_least(
    scores: FloatArray | Scores, value: float | Mapping[str, float]
) -> BoolArray | Masks:
    """Masks that keep every score of at least `value`.

    Parameters
    ----------
    scores : ndarray of float, or dict of name to ndarray
        Higher is kept. Real and finite.
    value : float, or dict of name to float
        The lowest score that is kept, for all layers or for each; in the unit of the
        score.

    See Also
    --------
    above : A score equal to the threshold goes.
    select : Exact counts.

    Examples
    --------
    >>> at_least(np.abs([[1.0, 2.0], [3.0, -4.0]]), 3)
    array([[False, False],
           [ True,  True]])
    """
    return _threshold("at_least", np.greater_equal, scores, value)


@overload
def above(scores: FloatArray, value: float) -> BoolArray: ...
@overload
def above(scores: Scores, value: float | Mapping[str, float]) -> Masks: ...
def above(
    scores: FloatArray | Scores, value: float | Mapping[str, float]
) -> BoolArray | Masks:
    """Masks that keep every score higher than `value`; one equal to it goes.

    See Also
    --------
    at_least : A score equal to the threshold stays; the parameters are described there.

    Examples
    --------
    >>> above(np.array([[0.3, 0.6, 0.9], [0.4, 0.5, 0.8]]), 0.5)
    array([[False,  True,  True],
           [False, False,  True]])
    """
    return _threshold("above", np.greater, scores, value)


@overload
def at_quantile(scores: FloatArray, level: Share) -> BoolArray: ...
@overload
def at_quantile(scores: Scores, level: Share) -> Masks: ...
def at_quantile(scores: FloatArray | Scores, level: Share) -> BoolArray | Masks:
    """Masks that keep every score of at least the `level` quantile of its layer.

    With level 0.5 the threshold is the median. The count is near ``level * size`` when
    scores differ, and anything when they do not; `select` is the exact form.

    Parameters
    ----------
    scores : ndarray of float, or dict of name to ndarray
        Higher is kept. Real and finite. An empty layer has an empty mask.
    level : share
        From 0 to 1. Between two scores the quantile is interpolated linearly.

    Examples
    --------
    >>> at_quantile(np.array([1.0, 2.0, 3.0, 4.0]), 0.5)
    array([False, False,  True,  True])
    >>> at_quantile(np.ones(4), 0.5)
    array([ True,  True,  True,  True])
    """
    at = float(share("at_quantile", level, "level"))
    arrays = _request.arrays("at_quantile", scores)
    values = {
        n: float(np.quantile(s, at)) if s.size else 0.0 for n, s in arrays.items()
    }
    return _threshold("at_quantile", np.greater_equal, scores, values)


def _threshold(
    caller: str,
    keeps: Callable[[FloatArray, float], Any],
    scores: FloatArray | Scores,
    value: float | Mapping[str, float],
) -> BoolArray | Masks:
    """Compare every score with its layer's threshold."""
    masks = {}
    for name, array in _request.arrays(caller, scores).items():
        cut = _request.of(caller, "value", value, name)
        if not isinstance(cut, Real) or not math.isfinite(cut):
            raise ValueError(f"{caller}: value is {cut!r}; expected a finite number")
        cut = float(cut)
        masks[name] = np.asarray(keeps(array, cut), np.bool_)
    return masks if isinstance(scores, Mapping) else masks[ALONE]
