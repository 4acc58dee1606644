"""Recovery: only what is stored is trained, and what comes in stays as it was."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune import nn, prune
from tests.prune.cases import NETWORKS, digits, linear


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


def pruned(sparsity=0.8):
    net = NETWORKS["linear"]()
    prune.OneShot("magnitude", sparsity=sparsity).run(net)
    return net


def test_it_begins_with_the_values_that_are_left():
    net = linear(seed=1)  # `scratch` would draw those of seed 0
    prune.OneShot("magnitude", sparsity=0.5).run(net)
    same = prune.recover(net, digits(), epochs=0)
    for name, weight in net.weights().items():
        assert_array_equal(same.weights()[name], weight)


def test_from_scratch_the_weights_are_drawn_anew_and_the_masks_stay():
    net = pruned()
    fresh = prune.recover(net, digits(), 0, scratch=True, seed=4)
    for name, mask in net.masks().items():
        assert_array_equal(fresh.masks()[name], mask)
        assert (fresh.weights()[name][mask] != net.weights()[name][mask]).all()


def test_a_student_learns_from_its_teacher_alone_if_asked():
    """With everything mixed in from the teacher, labels do not matter."""
    teacher = NETWORKS["linear"](seed=1)
    nn.train(teacher, digits(), epochs=20, optimizer=nn.Adam(1e-2))
    student = prune.recover(
        pruned(0.5),
        digits(),
        60,
        teacher=teacher,
        loss=nn.Distillation(temperature=2.0, mixing=1.0),
        optimizer=nn.Adam(1e-2),
    )
    x = digits().test.x
    agree = (student.predict(x) == teacher.predict(x)).mean()
    assert agree > 0.7
    assert agree > (pruned().predict(x) == teacher.predict(x)).mean() + 0.3


@pytest.mark.parametrize(
    "how",
    [
        {"optimizer": nn.Adam(1e-2, weight_decay=1e-3)},
        {"augment": nn.FGSM(0.1)},
        {"teacher": NETWORKS["linear"](seed=1)},
    ],
    ids=["L2", "adversarial", "distillation"],
)
def test_however_it_recovers_only_what_is_kept_is_trained(how):
    net = pruned()
    after = prune.recover(net, digits(), 2, **how)
    for name, mask in net.masks().items():
        assert_array_equal(after.masks()[name], mask)
        assert (after.weights()[name][~mask] == 0).all()
        assert (after.weights()[name][mask] != net.weights()[name][mask]).any()
