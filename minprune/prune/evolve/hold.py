"""What evolving procedures stand on: sparse layers, and exchanging what they hold.

Positions are flat indices into the (out, K) view of a weight, in ascending order.
"""

from collections.abc import Iterable
from math import cos, pi

import numpy as np

from minprune._check import AnyArray, BoolArray, FloatArray, IntArray
from minprune.nn.layer import Layer
from minprune.nn.network import Network
from minprune.nn.optim import Optimizer
from minprune.nn.train import Procedure, Run
from minprune.prune.moment import Moment, every, steps_of
from minprune.sparse.base import SparseLayer
from minprune.sparse.compress import SPARSE
from minprune.sparse.csr import CSR, flat, row_of_each


class Evolving(Procedure):
    """A procedure that exchanges stored weights at regular steps.

    Parameters
    ----------
    frequency : int or float, optional
        Steps from one exchange to the next; an epoch when left out.
    end : int or float
        Moment from which the pattern stays as it is.
    exclude : iterable of str
        Weights whose pattern stays as it is.
    seed : int
        Draws what is drawn.
    """

    def __init__(
        self,
        frequency: Moment | None,
        end: Moment,
        exclude: Iterable[str],
        seed: int,
    ) -> None:
        self.frequency, self.end_at = frequency, end
        self.exclude, self.seed = tuple(exclude), seed

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        caller = type(self).__name__
        if self.frequency is None:
            self.every = run.steps_per_epoch
        else:
            self.every = every(caller, self.frequency, run)
        self.last = steps_of(caller, "end", self.end_at, run)
        hold_sparsely(run.net)
        for name in self.exclude:
            run.net.owner(caller, name)
        if not self.layers(run.net):
            raise ValueError(
                f"{caller}: the network holds no weight sparsely, so that none can be "
                f"exchanged; prune it first, for example by OneShot('random', "
                f"sparsity=0.9, allocation='erk')"
            )
        if run.steps and self.every >= self.last:
            nearest = f"frequency={self.last - 1}" if self.last > 1 else "end=2"
            raise ValueError(
                f"{caller}: the first exchange is due at step {self.every}, but the "
                f"pattern stays from step {self.last} on, so that nothing evolves; the "
                f"nearest that can be met is {nearest}"
            )

    def layers(self, net: Network) -> dict[str, SparseLayer]:
        """The layers whose pattern evolves, by the name of their weight."""
        # net.weights() would write every weight out; the walk touches none.
        found = {f"{n}.weight" if n else "weight": x for n, x in net.root.walk()}
        return {
            name: layer
            for name, layer in found.items()
            if isinstance(layer, SparseLayer)
            and isinstance(layer.pattern, CSR)
            and name not in self.exclude
        }

    def due(self, run: Run) -> bool:
        """Whether this is a step for an exchange."""
        return run.step < self.last and run.step % self.every == 0


def along_cosine(share: float, step: int, end: int) -> float:
    """A share that falls along half a cosine, from all of it at step 0 to 0 at `end`.

    >>> [round(along_cosine(0.3, step, 4), 3) for step in range(5)]
    [0.3, 0.256, 0.15, 0.044, 0.0]
    """
    return share / 2 * (1 + cos(pi * step / end))


def hold_sparsely(net: Network) -> None:
    """Turn every layer with a mask into one that stores what it keeps, in place.

    Unlike `minprune.sparse.compress` it does not ask whether that pays.
    """
    for _, layer in net.root.walk():
        layer.children |= {key: _sparse(child) for key, child in layer.children.items()}
    net.root = _sparse(net.root)


def _sparse(layer: Layer) -> Layer:
    """A layer that stores its mask, if it has one and there is such a kind."""
    make = SPARSE.get(type(layer))
    return layer if make is None or "weight" not in layer.masks else make(layer)


def csr(layer: SparseLayer) -> CSR:
    """The pattern of a layer whose weights come and go singly."""
    if not isinstance(layer.pattern, CSR):
        raise ValueError(f"{layer.kind}: stored in blocks; expected format 'csr'")
    return layer.pattern


def positions(layer: SparseLayer) -> IntArray:
    """Where the stored weights are."""
    pattern = csr(layer)
    return flat(row_of_each(pattern.indptr), pattern.indices, pattern.shape)


def common(first: IntArray, second: IntArray) -> tuple[IntArray, IntArray]:
    """Where in each of two ascending lists of positions those stand that are in both.

    >>> common(np.array([1, 4, 9]), np.array([0, 4, 5, 9]))
    (array([1, 2]), array([1, 3]))
    """
    if not len(second):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    place = np.minimum(np.searchsorted(second, first), len(second) - 1)
    found = np.flatnonzero(second[place] == first)
    return found, place[found]


def exchange(
    optimizer: Optimizer,
    name: str,
    layer: SparseLayer,
    drop: BoolArray,
    grow: IntArray,
    values: FloatArray | float = 0.0,
) -> IntArray:
    """Let stored weights go and others come; the optimizer follows.

    Parameters
    ----------
    drop : ndarray of bool, shape (stored,)
        Which of the stored weights go.
    grow : ndarray of int
        Positions that come, ascending, none of them stored once `drop` has gone.
    values : float or ndarray
        What they start with; with nothing remembered by the optimizer.

    Returns
    -------
    moved : ndarray of int, shape (stored before,)
        The new place of every old value, -1 where it went.
    """
    shape, stay = csr(layer).shape, np.flatnonzero(~drop)
    both = np.concatenate((positions(layer)[stay], grow))
    order = np.argsort(both, kind="stable")  # two ascending runs: merged in one pass
    place = np.empty(len(both), np.int64)
    place[order] = np.arange(len(both))
    moved = np.full(len(drop), -1)
    moved[stay] = place[: len(stay)]
    held = layer.params["weight"]
    now = np.empty(len(both), held.dtype)
    now[moved[stay]] = held[stay]
    now[place[len(stay) :]] = values
    layer.hold(CSR.from_positions(shape, *np.divmod(both[order], shape[1])), now)
    optimizer.remap(name, moved, len(both))
    return moved


def follow(array: AnyArray, moved: IntArray, size: int, fill: AnyArray) -> AnyArray:
    """An array beside the stored values, moved along; `fill` where something came."""
    new = np.empty(size, array.dtype)
    came = np.ones(size, bool)
    came[moved[moved >= 0]] = False
    new[moved[moved >= 0]] = array[moved >= 0]
    new[came] = fill
    return new


def draw_free(
    stored: IntArray, size: int, count: int, rng: np.random.Generator
) -> IntArray:
    """`count` different positions that are not stored, evenly drawn, ascending.

    Notes
    -----
    The free position of rank r lies behind all stored ones with
    ``stored[i] - i <= r``, so it is r plus their number: no list of free positions is
    made.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> draw_free(np.array([0, 1, 4]), 6, 3, rng)
    array([2, 3, 5])
    """
    ranks = np.sort(rng.choice(size - len(stored), count, replace=False, shuffle=False))
    return ranks + np.searchsorted(stored - np.arange(len(stored)), ranks, "right")
