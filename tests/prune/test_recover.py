"""Recovery: only what is stored is trained, and what comes in stays as it was."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune import nn, prune
from tests.prune.cases import NETWORKS, digits


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_masks_stay_and_what_is_kept_moves(name, sparse):
    net = NETWORKS[name]()
    prune.OneShot("magnitude", sparsity=0.8).run(net)
    before = net.copy()

    after = prune.recover(net, digits(), 2, sparse=sparse)

    for weight, mask in net.masks().items():
        assert_array_equal(after.masks()[weight], mask)
        assert_array_equal(net.weights()[weight], before.weights()[weight])
        assert (after.weights()[weight][mask] != net.weights()[weight][mask]).any()
        assert (after.weights()[weight][~mask] == 0).all()


def test_the_loss_falls():
    net = NETWORKS["linear"]()
    prune.OneShot("magnitude", sparsity=0.5).run(net)
    after = prune.recover(net, digits(), 40, optimizer=nn.Adam(1e-2))
    loss = lambda some: nn.evaluate(some, digits().train, nn.cross_entropy)[0]
    assert loss(after) < 0.5 * loss(net)


@pytest.mark.parametrize("name", NETWORKS)
def test_sparse_and_masked_recovery_agree_to_rounding(name):
    net = NETWORKS[name]().astype(np.float64)
    prune.OneShot("magnitude", sparsity=0.8).run(net)
    sgd = nn.SGD(0.05, momentum=0.9)
    sparse = prune.recover(net, digits(), 1, optimizer=sgd)
    masked = prune.recover(net, digits(), 1, optimizer=sgd, sparse=False)
    for weight, want in masked.weights().items():
        # Three steps in float64; sums are taken in another order.
        np.testing.assert_allclose(sparse.weights()[weight], want, rtol=0, atol=1e-10)
