"""K-FAC with the Kronecker product written out as the matrix it stands for."""

import numpy as np

from tests.oracles.quadratic import minimum


def _places(weight, i):
    return range(i * weight.shape[1], (i + 1) * weight.shape[1])


def kfac_obd(weight, kfac_a, kfac_g):
    fisher = np.kron(kfac_g, kfac_a)
    out = np.empty(len(weight))
    for i in range(len(weight)):
        step = np.zeros(weight.size)
        step[_places(weight, i)] = -weight[i]
        out[i] = 0.5 * step @ fisher @ step
    return out


def kfac_obd_f2(weight, kfac_a, kfac_g):
    out = np.zeros(len(weight))
    for i, row in enumerate(weight):
        for j in range(row.size):
            for k in range(row.size):
                out[i] += kfac_g[i, i] * row[j] ** 2 * kfac_a[j, k]
    return out


def kfac_obs(weight, kfac_a, kfac_g):
    fisher = np.kron(kfac_g, kfac_a)
    return np.array(
        [
            minimum(weight.ravel(), fisher, _places(weight, i))[1]
            for i in range(len(weight))
        ]
    )
