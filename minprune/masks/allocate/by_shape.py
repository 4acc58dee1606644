"""Allocations that ask only for the shapes of the layers.

Shapes are ``(out, in)`` or ``(out, in/groups, ...)``, by name.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from minprune.masks.allocate._solve import Counts, asked, positive
from minprune.masks.count import Share, apportion, in_proportion, rounded

Shapes = Mapping[str, tuple[int, ...]]


def uniform(shapes: Shapes, sparsity: Share) -> Counts:
    """The same share of every layer.

    Parameters
    ----------
    shapes : dict of name to tuple of int
        Shapes of the weights of each layer.
    sparsity : share
        Share to remove of all layers together.

    Returns
    -------
    counts : dict of name to int
        Number to remove from each layer; they add up to the sparsity exactly.

    Raises
    ------
    ValueError
        If there is no layer, or `sparsity` is not a number from 0 to 1.

    Notes
    -----
    Counting layer by layer may miss the total by half a weight a layer; here rounding
    is settled between the layers.

    Examples
    --------
    >>> uniform({"a": (5, 1), "b": (5, 1), "c": (2, 5)}, 0.5)
    {'a': 2, 'b': 3, 'c': 5}
    """
    return _by_density(
        "uniform", shapes, {name: Fraction(1) for name in shapes}, sparsity
    )


def uniform_plus(
    shapes: Shapes, sparsity: Share, *, last: Share = Fraction(4, 5)
) -> Counts:
    """The same share of every layer, but the first and the last are spared.

    The first layer stays dense if it is a convolution, and the last loses at most the
    share `last`; the others make up for it.

    Parameters
    ----------
    shapes, sparsity
        As in `uniform`. The first and last entries of the dict are the first and last
        layer.
    last : share
        The most that goes of the last layer.

    Raises
    ------
    ValueError
        If the other layers cannot make up for the two; the message names the highest
        sparsity that can be met.

    Notes
    -----
    The rule of [1]_ for convolutional networks; 80 % is theirs.

    References
    ----------
    .. [1] T. Gale, E. Elsen and S. Hooker, "The state of sparsity in deep neural
       networks", 2019. arXiv:1902.09574

    Examples
    --------
    >>> uniform_plus({"conv": (2, 1, 2, 2), "fc": (10, 10), "out": (2, 10)}, "0.75")
    {'conv': 0, 'fc': 80, 'out': 16}
    """
    sizes = _sizes("uniform_plus", shapes)
    names, limits = list(sizes), list(sizes.values())
    limits[-1] = rounded(limits[-1], last, math.floor, caller="uniform_plus")
    if len(shapes[names[0]]) > 2:
        limits[0] = 0
    total = asked("uniform_plus", sizes, sparsity)
    if total > sum(limits):
        raise ValueError(
            f"uniform_plus: sparsity {sparsity} removes {total} weights, but with the "
            f"first and last layer spared only {sum(limits)} may go; the nearest "
            f"that can be met is {sum(limits) / sum(sizes.values()):.6g}"
        )
    ideals = in_proportion([Fraction(size) for size in sizes.values()], limits, total)
    return dict(zip(names, apportion(ideals), strict=True))


def er(shapes: Shapes, sparsity: Share) -> Counts:
    """Density falls with layer size as in a random graph: Erdős-Rényi.

    Parameters and errors are those of `uniform`.

    Notes
    -----
    The density of a layer is proportional to (out + in) / (out in), whatever the size
    of its kernels, as in [1]_, eq. (1); layers that would pass density 1 are dense, and
    the others share what is left until the total fits.

    References
    ----------
    .. [1] D. C. Mocanu et al., "Scalable training of artificial neural networks with
       adaptive sparse connectivity inspired by network science", Nature Communications
       9, 2018, eq. (1).

    Examples
    --------
    >>> er({"wide": (10, 30), "narrow": (5, 10)}, "0.8")
    {'wide': 249, 'narrow': 31}
    """
    density = {name: _ratio(shape[:2]) for name, shape in shapes.items()}
    return _by_density("er", shapes, density, sparsity)


def erk(shapes: Shapes, sparsity: Share) -> Counts:
    """Erdős-Rényi with kernels: their height and width count as well.

    Parameters and errors are those of `uniform`.

    Notes
    -----
    The density of a layer is proportional to the sum of its dimensions over their
    product [1]_, Sec. 3: (out + in + height + width) / (out in height width), and for a
    linear layer the same as `er`. Layers that would pass density 1 are dense and the
    others share what is left; without that step small networks end up sparser than
    asked.

    References
    ----------
    .. [1] U. Evci, T. Gale, J. Menick, P. S. Castro and E. Elsen, "Rigging the lottery:
       making all tickets winners", ICML 2020, Sec. 3. arXiv:1911.11134

    Examples
    --------
    >>> erk({"conv": (4, 1, 3, 3), "big": (64, 64, 3, 3), "fc": (10, 64)}, "0.5")
    {'conv': 0, 'big': 18770, 'fc': 0}
    """
    density = {name: _ratio(shape) for name, shape in shapes.items()}
    return _by_density("erk", shapes, density, sparsity)


def by_sensitivity(
    shapes: Shapes, sensitivity: Mapping[str, float | Fraction], sparsity: Share
) -> Counts:
    """Density in proportion to a given sensitivity of each layer.

    Parameters
    ----------
    shapes, sparsity
        As in `uniform`.
    sensitivity : dict of name to number
        How much a layer suffers, above 0, in any unit: only ratios count. A layer twice
        as sensitive keeps twice the share, up to all of it.

    Raises
    ------
    ValueError
        If a layer has no sensitivity, or one that is not a number above 0.

    Notes
    -----
    ``density = min(1, c * sensitivity)``, with the one c that meets the sparsity.

    Examples
    --------
    >>> by_sensitivity({"a": (10, 10), "b": (10, 10)}, {"a": 3.0, "b": 1.0}, "0.8")
    {'a': 70, 'b': 90}
    """
    exact = positive("by_sensitivity", "sensitivity", shapes, sensitivity)
    return _by_density("by_sensitivity", shapes, exact, sparsity)


ALLOCATIONS: dict[str, Callable[[Shapes, Share], Counts]] = {
    make.__name__: make for make in (uniform, uniform_plus, er, erk)
}
"""Those that ask only for shapes, by name."""


def _by_density(
    caller: str, shapes: Shapes, density: Mapping[str, Fraction], sparsity: Share
) -> Counts:
    """Counts to remove when the kept shares are as `density`, none above 1."""
    sizes = _sizes(caller, shapes)
    limits = list(sizes.values())
    keeps = sum(limits) - asked(caller, sizes, sparsity)
    parts = [density[name] * size for name, size in sizes.items()]
    kept = apportion(in_proportion(parts, limits, keeps))
    return {name: n - k for (name, n), k in zip(sizes.items(), kept, strict=True)}


def _sizes(caller: str, shapes: Shapes) -> Counts:
    """Number of weights of each layer."""
    if not shapes:
        raise ValueError(f"{caller}: there are no shapes; expected at least one layer")
    return {name: math.prod(shape) for name, shape in shapes.items()}


def _ratio(shape: Sequence[int]) -> Fraction:
    """Sum of the dimensions over their product; 0 for a layer without weights."""
    return Fraction(sum(shape), math.prod(shape)) if math.prod(shape) else Fraction(0)
