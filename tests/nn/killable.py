"""A training run to be killed: ``python -m tests.nn.killable CHECKPOINT RESULT EVERY``.

Everything that a checkpoint has to carry takes part: momentum, batch statistics,
dropout, a mask, a procedure with a memory, best weights. One line goes to stdout after
every step, so that whoever watches can choose when to kill.
"""

import signal
import sys

import numpy as np

from minprune import data, nn, save

EPOCHS, SAMPLES, BATCH = 3, 120, 16


class Wanders(nn.Procedure):
    """Moves the biases by a memory of the steps so far, and says where it is."""

    def __init__(self, talks=False):
        self.memory, self.talks = np.zeros(3), talks

    def before_step(self, run):
        self.memory = 0.9 * self.memory + np.sin(run.step + np.arange(3))
        run.net.parameters()["fc2.bias"][:] += 0.01 * self.memory.astype(np.float32)

    def after_step(self, run):
        if self.talks:
            print(run.step, flush=True)

    def state(self):
        return {"memory": self.memory}

    def restore(self, arrays):
        self.memory = arrays["memory"]


def build():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(SAMPLES + 60, 6)).astype(np.float32)
    split = np.repeat([0, 1, 2], [SAMPLES, 30, 30])
    ds = data.from_arrays(
        x, (x[:, 0] * x[:, 1] > 0).astype(int) + (x[:, 2] > 1), split=split
    )
    root = nn.Sequential(
        {
            "fc1": nn.Linear(6, 12),
            "bn": nn.BatchNorm(12),
            "relu": nn.ReLU(),
            "drop": nn.Dropout(0.2),
            "hidden": nn.Linear(12, 8),
            "tanh": nn.Tanh(),
            "fc2": nn.Linear(8, 3),
        }
    )
    net = nn.Network(root, (6,), classes=ds.classes, seed=1)
    net.set_masks({"fc1.weight": rng.random((12, 6)) < 0.5})
    return net, ds


def train(net, ds, checkpoint, procedure=None):
    return nn.train(
        net,
        ds,
        epochs=EPOCHS,
        batch_size=BATCH,
        optimizer=nn.Adam(5e-3),
        rate=nn.rates.cosine,
        procedures=[procedure or Wanders()],
        best=True,
        checkpoint=checkpoint,
        seed=5,
    )


if __name__ == "__main__":
    # Shells start jobs in the background with this signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    path, result, every = sys.argv[1:]
    net, ds = build()
    history = train(net, ds, nn.Checkpoint(path, int(every)), Wanders(talks=True))
    save(net, result)
    print("history", history)
