"""Optimizers: from a gradient to a step. They see plain arrays by name, no layers.

A network may hold its weights densely or sparsely: an optimizer cannot tell. When a
pattern of stored weights is edited, `remap` moves the state along.
"""

from collections.abc import Iterator
from math import inf
from typing import Self

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray

Arrays = dict[str, FloatArray]

BLOCK = 2**14
"""Entries moved at a time."""


class Optimizer:
    """A rule that moves parameters against their gradients.

    Parameters
    ----------
    lr : float
        Learning rate: weight units per gradient unit.
    weight_decay : float
        Multiple of the weight added to its gradient, as in PyTorch.

    Attributes
    ----------
    slots : dict of str to dict of str to ndarray
        What the rule remembers of each parameter, in arrays of its shape.
    """

    slot_names: tuple[str, ...] = ()

    def __init__(self, lr: float, weight_decay: float = 0.0) -> None:
        if not 0 < lr < inf:
            raise ValueError(
                f"{type(self).__name__}: lr is {lr}; expected a number above 0"
            )
        if not 0 <= weight_decay < inf:
            raise ValueError(
                f"{type(self).__name__}: weight_decay is {weight_decay}; expected a "
                f"number of 0 or more"
            )
        self.lr, self.weight_decay = float(lr), float(weight_decay)
        self.steps = 0
        self.slots: dict[str, Arrays] = {}

    def __repr__(self) -> str:
        known = {"steps", "slots", "slot_names"}
        settings = (f"{k}={v!r}" for k, v in vars(self).items() if k not in known)
        return f"{type(self).__name__}({', '.join(settings)})"

    def fresh(self) -> Self:
        """The same rule with nothing remembered."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.steps, twin.slots = 0, {}
        return twin

    def step(self, params: Arrays, grads: Arrays, rate: float = 1.0) -> None:
        """Move every parameter that has a gradient, in place, by ``rate * lr``."""
        self.steps += 1
        for name, grad in grads.items():
            param = params[name]
            slots = self.slots.setdefault(
                name, {slot: np.zeros_like(param) for slot in self.slot_names}
            )
            for part in _blocks(param, grad, slots):
                self.move(*part, rate * self.lr)

    def move(
        self, param: FloatArray, grad: FloatArray, slots: Arrays, lr: float
    ) -> None:
        """One parameter's step, in place."""
        raise TypeError(f"{type(self).__name__} does not define move")

    def remap(
        self, name: str, old_to_new: IntArray, size: int, fill: float = 0
    ) -> None:
        """Follow an edit of a pattern: entry i of a slot moves to ``old_to_new[i]``.

        Entries mapped to -1 are dropped; positions that are new start at `fill`.
        """
        kept = old_to_new >= 0
        for slot, old in self.slots.get(name, {}).items():
            new = np.full((size, *old.shape[1:]), fill, old.dtype)
            new[old_to_new[kept]] = old[kept]
            self.slots[name][slot] = new

    def state(self) -> dict[str, AnyArray]:
        """Everything remembered, as named arrays for a checkpoint."""
        arrays: dict[str, AnyArray] = {"steps": np.array(self.steps, np.int64)}
        for name, slots in self.slots.items():
            for slot, array in slots.items():
                arrays[f"{name}:{slot}"] = array
        return arrays

    def restore(self, arrays: dict[str, AnyArray]) -> None:
        """Take back what `state` gave."""
        self.steps = int(arrays["steps"])
        self.slots = {}
        for key, array in arrays.items():
            if key != "steps":
                name, _, slot = key.rpartition(":")
                self.slots.setdefault(name, {})[slot] = array.copy()


def _blocks(
    param: FloatArray, grad: FloatArray, slots: Arrays
) -> Iterator[tuple[FloatArray, FloatArray, Arrays]]:
    """A parameter with all that belongs to it, in pieces that stay in the cache.

    A rule is several passes over its arrays with a temporary each. Over 64 KiB at a
    time those cost a third of what they cost over a large matrix. Every entry moves by
    itself, so the cut changes no bit.
    """
    if param.size <= BLOCK or not param.flags.c_contiguous:
        yield param, grad, slots
        return
    param, grad = param.reshape(-1), grad.reshape(-1)
    slots = {name: slot.reshape(-1) for name, slot in slots.items()}
    for first in range(0, param.size, BLOCK):
        part = slice(first, first + BLOCK)
        yield param[part], grad[part], {name: s[part] for name, s in slots.items()}


class SGD(Optimizer):
    r"""Gradient descent, with momentum if asked.

    Parameters
    ----------
    lr, weight_decay : float
        See `Optimizer`.
    momentum : float
        Share of the last step's direction that is kept.
    nesterov : bool
        Look ahead along the momentum before stepping.

    Notes
    -----
    PyTorch's form, in which the learning rate is outside the momentum:
    :math:`v \leftarrow \mu v + g,\; w \leftarrow w - \eta v`; with `nesterov`,
    :math:`w \leftarrow w - \eta (g + \mu v)`.
    """

    def __init__(
        self,
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(lr, weight_decay)
        if not 0 <= momentum < 1:
            raise ValueError(f"SGD: momentum is {momentum}; expected 0 <= momentum < 1")
        if nesterov and momentum == 0:
            raise ValueError("SGD: nesterov needs a momentum above 0")
        self.momentum, self.nesterov = float(momentum), bool(nesterov)
        self.slot_names = ("velocity",) if momentum else ()

    def move(
        self, param: FloatArray, grad: FloatArray, slots: Arrays, lr: float
    ) -> None:
        """See `Optimizer.move`."""
        if self.weight_decay:
            grad = grad + self.weight_decay * param
        if self.momentum:
            velocity = slots["velocity"]
            velocity *= self.momentum
            velocity += grad
            grad = grad + self.momentum * velocity if self.nesterov else velocity
        param -= lr * grad


class Adam(Optimizer):
    r"""Steps scaled by running means of the gradient and of its square.

    Parameters
    ----------
    lr, weight_decay : float
        See `Optimizer`.
    betas : tuple of float
        Decay of the two running means.
    eps : float
        Added to the root, outside the bias correction, as in PyTorch.

    References
    ----------
    .. [1] D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015,
       Algorithm 1. arXiv:1412.6980
    """

    slot_names = ("mean", "square")
    decoupled = False

    def __init__(
        self,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr, weight_decay)
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"Adam: betas are {betas}; expected two, 0 <= beta < 1")
        if not 0 <= eps < inf:
            raise ValueError(f"Adam: eps is {eps}; expected a number of 0 or more")
        self.betas, self.eps = (float(betas[0]), float(betas[1])), float(eps)

    def move(
        self, param: FloatArray, grad: FloatArray, slots: Arrays, lr: float
    ) -> None:
        """See `Optimizer.move`."""
        if self.weight_decay and self.decoupled:
            param *= 1 - lr * self.weight_decay
        elif self.weight_decay:
            grad = grad + self.weight_decay * param
        (beta1, beta2), mean, square = self.betas, slots["mean"], slots["square"]
        mean *= beta1
        mean += (1 - beta1) * grad
        square *= beta2
        square += (1 - beta2) * grad * grad
        root = np.sqrt(square)
        root /= np.sqrt(1 - beta2**self.steps)
        root += self.eps
        param -= (lr / (1 - beta1**self.steps)) * (mean / root)


class AdamW(Adam):
    """Adam with weight decay applied to the weight, not to the gradient.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR
       2019, Algorithm 2. arXiv:1711.05101
    """

    decoupled = True
