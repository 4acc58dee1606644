"""Channel solvers from the inputs themselves: parts of the output, least squares."""

import numpy as np


def parts(weight, x):
    """What each channel adds to the output, as columns (examples times outputs)."""
    outputs, channels = weight.shape[:2]
    w = weight.reshape(outputs, channels, -1)
    x = x.reshape(len(x), channels, -1)
    z = [np.array([[p @ q for q in w[:, c]] for p in x[:, c]]) for c in range(channels)]
    return np.stack([part.ravel() for part in z], axis=1)


def feature_reconstruction(weight, x, channels):
    w = weight.reshape(len(weight), -1)
    columns = np.repeat(channels, w.shape[1] // len(channels))
    moved = np.zeros(w.shape)
    moved[:, columns] = np.linalg.lstsq(x[:, columns], x @ w.T, rcond=None)[0].T
    return moved.reshape(weight.shape)


def thinet(weight, x, count):
    """Channels that stay and their factors, by trying every channel at every step."""
    z = parts(weight, x)
    gone = []
    for _ in range(count):
        left = [c for c in range(z.shape[1]) if c not in gone]
        gone.append(min(left, key=lambda c: np.sum(z[:, [*gone, c]].sum(axis=1) ** 2)))
    channels = ~np.isin(np.arange(z.shape[1]), gone)
    factor = np.zeros(z.shape[1])
    factor[channels] = np.linalg.lstsq(z[:, channels], z.sum(axis=1), rcond=None)[0]
    return channels, factor


def lasso_channels(weight, x, keep):
    """The first `keep` channels on the exact path of the penalty from above.

    Homotopy: between two penalties at which a channel comes or goes the coefficients
    move in a straight line, whose slope solves the stationarity of the active ones.
    """
    z = parts(weight, x)
    q = z.T @ z / len(x)
    beta, c = np.zeros(len(q)), q.sum(axis=1)
    penalty, active = np.abs(c).max(), [int(np.argmax(np.abs(c)))]
    while len(active) < keep:
        direction = np.zeros(len(q))
        signs = np.sign(c[active])
        direction[active] = np.linalg.solve(q[np.ix_(active, active)], signs)
        drift = q @ direction
        events = []
        for j in range(len(q)):
            if j in active:
                events.append((-beta[j] / direction[j], j))
            else:
                events.append(((penalty - c[j]) / (1 - drift[j]), j))
                events.append(((penalty + c[j]) / (1 + drift[j]), j))
        step, j = min(e for e in events if e[0] > 1e-12 * penalty)
        beta, c, penalty = beta + step * direction, c - step * drift, penalty - step
        active = [k for k in active if k != j] if j in active else [*active, j]
    return np.isin(np.arange(len(q)), active)
