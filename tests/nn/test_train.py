"""The training loop: the same bits again, masks held, stops that say why."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune import data, nn
from minprune.nn.train import joined_batches


@pytest.fixture
def ds():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 4)).astype(np.float32)
    return data.from_arrays(x, (x[:, 0] > 0).astype(int), name="halves")


def build(ds, **options):
    return nn.models.build("mlp", ds, hidden=(8,), **options)


def bits(net):
    return b"".join(array.tobytes() for array in net.parameters().values())


def test_the_same_seed_gives_the_same_bits(ds):
    runs = []
    for seed in (0, 0, 1):
        net = build(ds, seed=3)
        runs.append((nn.train(net, ds, epochs=2, batch_size=16, seed=seed), bits(net)))
    assert runs[0] == runs[1]
    assert runs[0][1] != runs[2][1]


def test_it_learns_and_says_how_it_went(ds):
    net, seen = build(ds), []
    history = nn.train(
        net, ds, epochs=30, optimizer=nn.Adam(5e-2), progress=seen.append
    )
    assert [epoch.epoch for epoch in history] == list(range(30))
    assert seen == history
    assert history[-1].train_loss < history[0].train_loss / 2
    assert history[-1].val_score == nn.evaluate(net, ds.val, nn.cross_entropy)[1]
    assert history[-1].val_score > 0.9


def test_no_epochs_leave_the_network_alone(ds):
    net = build(ds)
    before = bits(net)
    assert nn.train(net, ds, epochs=0) == []
    assert bits(net) == before


def test_pruned_weights_stay_pruned_whatever_the_optimizer_remembers(ds):
    net = build(ds)
    nn.train(net, ds, epochs=1)
    mask = np.random.default_rng(0).random((8, 4)) < 0.5
    net.set_masks({"fc1.weight": mask})
    for optimizer in (nn.SGD(0.1, 0.9, 1e-2, True), nn.AdamW(weight_decay=0.1)):
        history = nn.train(net, ds, epochs=1, optimizer=optimizer)
        assert not net.weights()["fc1.weight"][~mask].any()
        assert history[-1].sparsity == pytest.approx((~mask).sum() / (32 + 16))


def test_a_batch_is_seen_once_an_epoch_and_never_alone():
    rng = np.random.default_rng(0)
    for n in (1, 2, 7, 8, 9):
        parts = joined_batches(n, 4, rng)
        assert_array_equal(np.sort(np.concatenate(parts)), np.arange(n))
        assert n == 1 or min(map(len, parts)) > 1


def test_regression_is_scored_by_its_root_mean_square_error():
    x = np.random.default_rng(0).normal(size=(60, 3))
    ds = data.from_arrays(x, x @ np.ones((3, 2)), task="regression")
    net = nn.models.build("mlp", ds, hidden=(4,))
    loss, score = nn.evaluate(net, ds.test, nn.mean_squared_error)
    error = net(ds.test.x) - ds.test.y
    assert loss == pytest.approx((error**2).mean(), rel=1e-5)
    assert score == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)


class Watch(nn.Procedure):
    """Writes down which hook came when."""

    def __init__(self):
        self.calls = []

    def begin(self, run):
        self.calls.append("begin")

    def before_step(self, run):
        self.calls.append(("before", run.epoch, run.step))

    def after_backward(self, run):
        assert run.net.gradients().keys() == run.net.parameters().keys()
        self.calls.append("backward")

    def after_step(self, run):
        self.calls.append(("after", run.step))

    def end_epoch(self, run):
        assert len(run.history) == run.epoch
        self.calls.append("epoch")

    def end(self, run):
        assert len(run.history) == run.epochs
        self.calls.append("end")


def test_hooks_come_in_their_order(ds):
    watch = Watch()
    nn.train(build(ds), ds, epochs=2, batch_size=len(ds.train), procedures=[watch])
    assert watch.calls == [
        "begin",
        *[("before", 0, 0), "backward", ("after", 1), "epoch"],
        *[("before", 1, 1), "backward", ("after", 2), "epoch"],
        "end",
    ]


class Doubled:
    """A weight that is twice what is trained."""

    def __init__(self, weight):
        self.thetas = {"half": weight / 2}

    def effective(self):
        return 2 * self.thetas["half"]

    def pullback(self, grad):
        return {"half": 2 * grad}


class Doubling(nn.Procedure):
    def begin(self, run):
        weight = run.net.weights()["fc1.weight"]
        run.reparameterized["fc1.weight"] = Doubled(weight)


def test_a_reparameterized_weight_moves_by_the_chain_rule(ds):
    """Where w = 2 t, it moves by four times what it would by itself."""
    moves = []
    for procedures in ([], [Doubling()]):
        net = build(ds)
        start = net.weights()["fc1.weight"].copy()
        if procedures:
            procedures.append(Last())
        nn.train(
            net,
            ds,
            epochs=1,
            batch_size=len(ds.train),
            optimizer=nn.SGD(0.01),
            procedures=procedures,
        )
        moves.append(net.weights()["fc1.weight"] - start)
    np.testing.assert_allclose(moves[1], 4 * moves[0], rtol=1e-4, atol=1e-7)


class Last(nn.Procedure):
    """Shows what the reparameterized weights have come to."""

    def end(self, run):
        for name, source in run.reparameterized.items():
            run.net.parameters()[name][...] = source.effective()


class Spoiled(nn.Procedure):
    """Worsens the network from an epoch on, so that the best one is known."""

    def __init__(self, first):
        self.first = first

    def end_epoch(self, run):
        self.now = bits(run.net)
        if run.epoch == self.first:
            self.best = self.now
        if run.epoch > self.first:
            run.net.parameters()["fc2.bias"][:] = [50.0, -50.0]


def test_the_best_weights_come_back_and_patience_ends(ds):
    spoiled, net = Spoiled(first=2), build(ds)
    history = nn.train(
        net,
        ds,
        epochs=20,
        patience=3,
        best=True,
        optimizer=nn.Adam(1e-2),
        procedures=[spoiled],
    )
    assert len(history) == 2 + 1 + 3
    assert bits(net) == spoiled.best


class Prunes(nn.Procedure):
    def end_epoch(self, run):
        if run.epoch == 3:
            keep = np.ones((8, 4), bool)
            keep[:, 0] = False  # all that decides on the label
            run.net.set_masks({"fc1.weight": keep})


@pytest.mark.parametrize("optimizer", [nn.SGD(0.1, 0.9), nn.Adam()])
def test_a_mask_set_on_the_way_holds_against_the_momentum(ds, optimizer):
    net = build(ds)
    nn.train(net, ds, epochs=6, optimizer=optimizer, procedures=[Prunes()])
    assert net.weights()["fc1.weight"][:, 1:].all()
    assert not net.weights()["fc1.weight"][:, 0].any()


def test_the_best_epoch_is_one_after_pruning(ds):
    net = build(ds)
    history = nn.train(
        net, ds, epochs=6, best=True, optimizer=nn.Adam(5e-2), procedures=[Prunes()]
    )
    assert history[2].val_loss < min(epoch.val_loss for epoch in history[3:])
    assert net.masks()["fc1.weight"].sum() == 24


class Listens(nn.Procedure):
    """Writes down what one batch looks like behind the dropout."""

    def __init__(self):
        self.seen = []

    def after_step(self, run):
        self.seen.append(run.net.layers()["drop"]._factor != 0)


def test_dropout_draws_anew_at_every_step_and_the_same_again(ds):
    heard = []
    for seed in (0, 0, 1):
        root = nn.Sequential({"drop": nn.Dropout(0.5), "fc": nn.Linear(4, 2)})
        listens = Listens()
        nn.train(
            nn.Network(root, (4,), seed=0),
            ds,
            epochs=2,
            batch_size=len(ds.train),
            seed=seed,
            procedures=[listens],
        )
        heard.append(listens.seen)
    assert_array_equal(heard[0], heard[1])
    assert (heard[0][0] != heard[0][1]).any()
    assert (heard[0][0] != heard[2][0]).any()


class Poison(nn.Procedure):
    def __init__(self, where):
        self.where = where

    def before_step(self, run):
        if run.step == 3 and self.where == "loss":
            run.net.parameters()["fc2.bias"][0] = np.nan

    def after_backward(self, run):
        if run.step == 3 and self.where != "loss":
            layer, key = run.net.holder("Poison", self.where)
            layer.grads[key].ravel()[-1] = np.inf


@pytest.mark.parametrize("where", ["loss", "fc1.weight", "fc2.bias"])
def test_what_is_no_number_stops_the_run_and_is_named(ds, where):
    named = "loss" if where == "loss" else f"gradient of {where}"
    message = rf"the {named} is not finite at step 3 \(epoch 0\); lower the learning"
    with pytest.raises(FloatingPointError, match=message):
        nn.train(build(ds), ds, epochs=2, batch_size=8, procedures=[Poison(where)])


def test_a_run_that_diverges_is_stopped(ds):
    with (
        pytest.raises(FloatingPointError, match="lower the learning rate"),
        np.errstate(all="ignore"),
    ):
        nn.train(build(ds), ds, epochs=300, optimizer=nn.SGD(1e12))


def test_network_and_data_have_to_fit(ds):
    wrong = nn.Network(nn.Sequential(nn.Linear(5, 2)), (5,))
    with pytest.raises(ValueError, match=r"takes samples of shape \(5,\) but halves"):
        nn.train(wrong, ds, epochs=1)
    wrong = nn.Network(nn.Sequential(nn.Linear(4, 3)), (4,))
    with pytest.raises(ValueError, match=r"returns .* but halves has 2 outputs"):
        nn.train(wrong, ds, epochs=1)
    with pytest.raises(ValueError, match="patience is 0; expected 1 or more"):
        nn.train(build(ds), ds, epochs=1, patience=0)
