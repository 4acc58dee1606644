"""Training something in the place of a weight.

Several methods do not train the weight that the network multiplies with, but numbers it
is made from: a dense weight behind a mask that moves, scores that choose, gates that
open and close. Such a method is a `Source` for each weight (what is trained, the weight
made from it, and the way back for the gradient) and an `Instead` that drives them.

Between steps the network shows what the method has come to: `weights()` are those it
computes with, `masks()` those it keeps. Only while a step runs are the masks lifted, so
that gradients reach what is pruned, where the method asks for them. Masks that another
procedure sets in between would be overwritten, and are refused.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

import numpy as np

from minprune._check import AnyArray, BoolArray, FloatArray, one_of
from minprune.masks._request import Scope
from minprune.masks.count import Share
from minprune.nn.network import Network
from minprune.nn.train import Procedure, Run
from minprune.prune.choice import choose
from minprune.sparse.base import SparseLayer


class Source:
    """One weight, and what is trained in its place.

    Parameters
    ----------
    weight : ndarray
        The dense weight at the beginning; copied.
    alive : ndarray of bool
        What was not pruned before: the rest stays zero and is never trained.

    Attributes
    ----------
    thetas : dict of str to ndarray
        What the optimizer moves.
    mask : ndarray of bool
        What is kept at this moment, within `alive`.
    extra : dict of str to ndarray
        What else has to survive a kill.
    """

    def __init__(self, weight: FloatArray, alive: BoolArray) -> None:
        self.thetas: dict[str, FloatArray] = {"weight": weight.copy()}
        self.alive, self.mask = alive, alive.copy()
        self.extra: dict[str, AnyArray] = {}

    def effective(self) -> FloatArray:
        """The weight the network computes with: here, what the mask lets through."""
        return np.where(self.mask, self.thetas["weight"], 0)

    def pullback(self, grad: FloatArray) -> dict[str, FloatArray]:
        """The gradient of each theta: here straight through, to pruned weights too."""
        return {"weight": np.where(self.alive, grad, 0)}

    def settled(self) -> FloatArray:
        """The weight as it is evaluated and stored; zero outside `mask`."""
        return np.where(self.mask, self.effective(), 0)

    def resting(self) -> BoolArray | None:
        """Which entries of the trained weight this step does not move: here, none.

        A gradient of zero is not enough: momentum and weight decay would move them.
        """
        return None


S = TypeVar("S", bound=Source)


class Instead(Procedure, Generic[S]):
    """A procedure that trains a `Source` in the place of every prunable weight.

    Parameters
    ----------
    exclude : iterable of str
        Names of weights that are trained as they are.
    """

    def __init__(self, exclude: Iterable[str] = ()) -> None:
        self.exclude = tuple(exclude)
        self.sources: dict[str, S] = {}
        self._still: dict[str, tuple[BoolArray, FloatArray]] = {}

    def source(self, name: str, weight: FloatArray, alive: BoolArray) -> S:
        """What is trained in the place of one weight."""
        raise TypeError(f"{type(self).__name__} does not define source")

    def update(self, run: Run) -> None:
        """Choose the masks: at the beginning, and after every step."""

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        dense = needs_dense(type(self).__name__, run.net)
        for name in self.exclude:
            one_of(type(self).__name__, "weight", name, dense)
        alive = run.net.masks()
        self.sources, self._still = {}, {}
        for name, weight in dense.items():
            if name in self.exclude:
                continue
            if name in run.reparameterized:
                raise self._contested(name)
            self.sources[name] = self.source(name, weight, alive[name])
        run.reparameterized |= self.sources
        self.update(run)
        self.show(run.net)

    def before_step(self, run: Run) -> None:
        """See `Procedure.before_step`."""
        for name, source in self.sources.items():
            layer, key = run.net.owner("before_step", name)
            shown = layer.masks.get(key)
            if not (source.mask if shown is None else source.mask == shown).all():
                raise self._contested(name)
            layer.set_mask(key, None)
            rest = source.resting()
            if rest is not None:
                self._still[name] = rest, source.thetas["weight"][rest]

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        for name in self.sources:
            layer, key = run.net.owner("after_step", name)
            if key in layer.masks:  # it was lifted before the step
                raise self._contested(name)
        for name, (rest, values) in self._still.items():
            self.sources[name].thetas["weight"][rest] = values
            for slot in run.optimizer.slots.get(f"{name}:weight", {}).values():
                slot[rest] = 0
        self.update(run)
        self.show(run.net)

    def end(self, run: Run) -> None:
        """See `Procedure.end`."""
        for name in self.sources:
            run.reparameterized.pop(name)

    def show(self, net: Network) -> None:
        """Put the settled weights and their masks into the network."""
        for name, source in self.sources.items():
            layer, key = net.owner("show", name)
            layer.params[key][...] = source.settled()
            layer.set_mask(key, source.mask)

    def _contested(self, name: str) -> ValueError:
        """The error for a weight that two procedures would decide on."""
        caller = type(self).__name__
        return ValueError(
            f"{caller}: another procedure changes {name} too, and one of the two would "
            f"undo the other; exclude the weight from one of them, or prune it before "
            f"{caller} begins"
        )

    def select(
        self,
        scores: dict[str, FloatArray],
        sparsity: Share,
        scope: Scope,
        rising: bool = False,
    ) -> dict[str, BoolArray]:
        """Masks of exact count among what is alive."""
        alive = {name: source.alive for name, source in self.sources.items()}
        return choose(scores, sparsity, scope, alive, rising=rising)

    def state(self) -> dict[str, AnyArray]:
        """See `Procedure.state`."""
        arrays: dict[str, AnyArray] = {}
        for name, source in self.sources.items():
            known: dict[str, AnyArray] = {"alive": source.alive, "mask": source.mask}
            known |= source.thetas
            known |= source.extra
            arrays |= {f"{name}:{key}": array.copy() for key, array in known.items()}
        return arrays

    def restore(self, arrays: dict[str, AnyArray]) -> None:
        """See `Procedure.restore`."""
        for name, source in self.sources.items():
            source.alive = arrays[f"{name}:alive"].astype(bool)
            source.mask = arrays[f"{name}:mask"].astype(bool)
            for known in (source.thetas, source.extra):
                for key, array in known.items():
                    array[...] = arrays[f"{name}:{key}"]


def sigmoid(x: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)), written so that nothing overflows.

    >>> sigmoid(np.array([-1e4, 0.0, 1e4])).tolist()
    [0.0, 0.5, 1.0]
    """
    half: FloatArray = 0.5 * (1 + np.tanh(0.5 * x))
    return half


def needs_dense(caller: str, net: Network) -> dict[str, FloatArray]:
    """The weights of a network of dense layers; ValueError if a layer is sparse."""
    for name in net.weights():
        layer, _ = net.owner(caller, name)
        if isinstance(layer, SparseLayer):
            raise ValueError(
                f"{caller}: {name} is held sparsely ({layer.kind}), but this procedure "
                f"trains or brings back weights that are not stored; start from the "
                f"dense network, or use Gradual, SET or RigL"
            )
    return net.weights()
