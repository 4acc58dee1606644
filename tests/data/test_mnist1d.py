"""MNIST-1D: the description, then the published file, then the options."""

import hashlib

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune import data
from minprune.data.mnist1d import generate
from tests.oracles.data import mnist1d_curves


@pytest.fixture(scope="module")
def published():
    return generate(seed=42, shuffled=False)


def sha256(array, dtype):
    return hashlib.sha256(array.astype(dtype).tobytes()).hexdigest()


@pytest.mark.parametrize("seed", [42, 43])
def test_every_curve_is_made_as_described(seed):
    count = 520  # all of the first digit and some of the second
    x, y = generate(seed=seed, shuffled=False)
    # Undo the random order: after all draws the stream stands where it permutes. The
    # oracle does not know the 4480 curves that follow, so find its rows by value.
    want = np.array(mnist1d_curves(seed, count))
    labels = np.repeat([0, 1], [500, 20])
    # Standardizing is one affine map for all values: compare what it cannot change.
    shape = lambda curves: (curves - curves[:, :1]) / (curves[:, -1:] - curves[:, :1])
    got = shape(x)
    for curve, label in zip(shape(want)[::13], labels[::13], strict=True):
        distance = abs(got - curve).max(axis=1) / abs(curve).max()
        nearest = int(distance.argmin())
        assert distance[nearest] < 1e-9  # relative; neighbors are 1e-2 and more away
        assert y[nearest] == label


def test_it_is_the_published_file(published):
    x, y = published
    assert sha256(np.round(x * 1e4), "<i4") == (
        "c8153e04a556dd78837acea7c0991c48da45517d429b3d24999cd348705ce4c2"
    )
    assert sha256(y, np.uint8) == (
        "4f5f4160c519e3c47f9d3e196c161336fcd32126a9efffe4153d6e7c8b73f963"
    )
    assert_allclose(x.mean(), 0, atol=1e-12)
    assert_allclose(x[0, :4], [-0.33200567, -0.47191037, -0.77869708, -1.00974083])
    assert_allclose(x[-1, -4:], [0.44723289, 0.65987565, 0.87773435, 1.19315184])


def test_the_splits_are_the_published_rows_in_order(published):
    x, y = published
    ds = data.mnist1d()
    joined = [np.concatenate([getattr(p, f) for p in (ds.train, ds.val, ds.test)])
              for f in ("x", "y")]  # fmt: skip
    assert_array_equal(joined[0][:, 0], x.astype(np.float32))
    assert_array_equal(joined[1], y)
    counts = [398, 396, 411, 394, 394, 402, 401, 404, 402, 398]
    assert_array_equal(np.bincount(y[:4000]), counts)


def test_shuffling_permutes_the_points_and_nothing_else(published):
    x, y = published
    shuffled, labels = generate(seed=42, shuffled=True)
    assert_array_equal(labels, y)
    assert not np.array_equal(shuffled, x)
    # One mean and spread for all values; their sum runs in another order.
    assert_allclose(np.sort(shuffled, axis=1), np.sort(x, axis=1), atol=1e-12)
    order = [int(abs(x - shuffled[:, [i]]).max(axis=0).argmin()) for i in range(40)]
    assert sorted(order) == list(range(40))


def test_another_seed_is_fresh_data(published):
    x, _ = generate(seed=43, shuffled=False)
    assert x.shape == published[0].shape
    assert not np.isclose(x, published[0]).all(axis=1).any()


def test_a_seed_below_zero_is_refused():
    with pytest.raises(ValueError, match=r"mnist1d: seed is -1; expected 0 or more"):
        data.mnist1d(seed=-1)
