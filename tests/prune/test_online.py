"""Online procedures against their papers: one step, or one formula, at a time."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minprune import masks, nn, prune
from minprune._random import stream
from minprune.prune import (
    hard_concrete,
    movement,
    powerprop,
    soft_threshold,
    straight_through,
    surgery,
    top_kast,
    variational,
)
from tests.oracles import procedures as oracle
from tests.oracles.network import slope
from tests.prune.cases import Watch, digits, linear

SHAPE = (3, 4)
FEWEST = "min_keep holds 2; the nearest that can be met is 886 "
IN_GROUPS = {"granularity": "nm", "keep": 2, "group": 4}


def drawn(seed=0, shape=SHAPE):
    """A weight, with some of it pruned before, and a gradient."""
    rng = np.random.default_rng(seed)
    alive = rng.random(shape) < 0.8
    return np.where(alive, rng.normal(size=shape), 0), alive, rng.normal(size=shape)


def train(net, *procedures, optimizer=None, epochs=3, **given):
    nn.train(
        net,
        digits(),
        epochs=epochs,
        batch_size=48,
        procedures=procedures,
        optimizer=nn.SGD(0.05) if optimizer is None else optimizer,
        **given,
    )
    return net


def slope_of(source, key, grad, function):
    """Slope of sum(grad * weight) in a theta, by the complex step on the definition."""
    return slope(lambda theta: (grad * function(theta)).sum(), source.thetas[key])


# Each weight made from what is trained, and the way back.


def test_powerpropagation_is_a_signed_power_and_starts_at_the_weight():
    weight, alive, grad = drawn()
    source = powerprop.Powered(weight, alive, 3.0)
    assert_allclose(source.effective(), weight, rtol=0, atol=1e-15)
    theta = source.thetas["weight"]
    want = slope_of(
        source, "weight", grad, lambda t: np.sign(theta) * (t * np.sign(theta)) ** 3
    )
    assert_allclose(
        source.pullback(grad)["weight"], np.where(alive, want, 0), atol=1e-12
    )


def test_soft_threshold_shrinks_every_size_and_has_its_slope():
    weight, alive, grad = drawn()
    source = soft_threshold.Shrunk(weight, alive, -0.5, decay=0.0)
    cut = 1 / (1 + np.exp(0.5))
    want = np.sign(weight) * np.maximum(np.abs(weight) - cut, 0)
    assert_allclose(source.effective(), want, rtol=1e-15)
    stays = np.abs(weight) > cut

    def shrunk(s):
        return stays * (weight - np.sign(weight) / (1 + np.exp(-s)))

    pulled = source.pullback(grad)
    assert_allclose(pulled["s"], slope_of(source, "s", grad, shrunk), rtol=1e-12)
    assert_array_equal(pulled["weight"], grad * stays)


def test_the_decay_of_a_soft_threshold_is_on_both():
    weight, alive, grad = drawn()
    plain = soft_threshold.Shrunk(weight, alive, -2.0, decay=0.0).pullback(grad)
    source = soft_threshold.Shrunk(weight, alive, -2.0, decay=0.1)
    for key, theta in source.thetas.items():
        assert_allclose(
            source.pullback(grad)[key] - plain[key], 0.1 * theta, atol=1e-15
        )


@given(
    st.floats(1e-6, 1 - 1e-6), st.floats(-6, 6), st.floats(-2, 2, allow_subnormal=False)
)
def test_a_hard_concrete_gate_is_the_papers(u, log_alpha, weight):
    source = hard_concrete.Gated(np.array([[weight]]), np.ones((1, 1), bool), log_alpha)
    source.noise = np.array([[np.log(u) - np.log1p(-u)]])
    want = oracle.hard_concrete(u, log_alpha)
    assert source.effective()[0, 0] == pytest.approx(weight * want, abs=1e-9)
    mean = 1 / (1 + np.exp(-log_alpha)) * 1.2 - 0.1
    assert source.mean_gate()[0, 0] == pytest.approx(min(1, max(0, mean)), abs=1e-12)


def test_hard_concrete_has_the_slope_of_loss_and_price():
    weight, alive, grad = drawn()
    source = hard_concrete.Gated(weight, alive, 0.3, price=0.7)
    source.draw(np.random.default_rng(1))
    noise = source.noise

    def total(log_alpha):
        wide = 1.2 / (1 + np.exp(-(noise + log_alpha) * 3 / 2)) - 0.1
        gate = np.where(wide.real < 0, 0, np.where(wide.real > 1, 1, wide))
        price = 0.7 / (1 + np.exp(-(log_alpha - 2 / 3 * np.log(0.1 / 1.1))))
        return (grad * weight * gate + price).sum()

    want = slope(total, source.thetas["log_alpha"])
    assert_allclose(
        source.pullback(grad)["log_alpha"], np.where(alive, want, 0), atol=1e-12
    )


def test_the_price_of_a_gate_is_the_probability_that_it_is_open():
    rng = np.random.default_rng(0)
    source = hard_concrete.Gated(np.ones((400, 400)), np.ones((400, 400), bool), -0.5)
    source.draw(rng)
    share = (source.gate()[0] > 0).mean()
    want = oracle.may_be_open(-0.5)
    # 160,000 draws: a deviation of sqrt(p (1 - p) / n), at most 0.00125.
    assert abs(share - want) < 5 * 0.00125


def test_variational_noise_and_divergence_have_their_slopes():
    weight, alive, grad = drawn()
    source = variational.Noisy(weight, alive, -1.0)
    source.price = 0.4
    source.draw(np.random.default_rng(1))
    noise = np.where(alive, source.noise, 0)
    size = np.where(weight == 0, 1, weight)

    def total(theta, log_variance):
        a = log_variance - np.log(np.where(alive, theta, 1) ** 2)
        gate = 1 / (1 + np.exp(-(1.87320 + 1.48695 * a)))
        far = 0.63576 - 0.63576 * gate + 0.5 * np.log(1 + np.exp(-a))
        value = grad * (theta + np.exp(0.5 * log_variance) * noise) + 0.4 * far
        return np.where(alive, value, 0).sum()

    pulled = source.pullback(grad)
    fixed = source.thetas["log_variance"]
    want = slope(lambda theta: total(theta, fixed), size)
    assert_allclose(pulled["weight"], np.where(alive, want, 0), atol=1e-12)
    want = slope(lambda variance: total(weight, variance), fixed)
    assert_allclose(pulled["log_variance"], np.where(alive, want, 0), atol=1e-12)


def test_variational_dropout_prunes_what_is_mostly_noise():
    source = variational.Noisy(
        np.array([[1.0, 0.01, 0.0]]), np.ones((1, 3), bool), -4.0
    )
    # log alpha = -4 - log(w^2): -4, 5.2, and beyond every threshold.
    assert (source.log_alpha() <= 3).tolist() == [[True, False, False]]


def test_movement_trains_scores_straight_through_and_kept_weights_only():
    weight, alive, grad = drawn()
    source = movement.Scored(weight, alive, speed=2.0)
    source.mask = alive & (np.random.default_rng(2).random(SHAPE) < 0.5)
    pulled = source.pullback(grad)
    assert_array_equal(pulled["weight"], np.where(source.mask, grad, 0))
    # A score is worth what its gate is worth at the dense weight, twice as fast.
    gates = slope(lambda gate: (grad * gate * weight).sum(), np.ones(SHAPE))
    assert_allclose(pulled["score"], np.where(alive, 2 * gates, 0), atol=1e-12)


def test_soft_movement_pays_for_the_mean_of_its_sigmoids():
    weight, _, grad = drawn()
    source = movement.Scored(weight, np.ones(SHAPE, bool), speed=2.0, penalty=0.3)
    source.thetas["score"] = np.random.default_rng(0).normal(size=SHAPE)
    price = slope(
        lambda s: 0.3 * (1 / (1 + np.exp(-2 * s))).mean(), source.thetas["score"]
    )
    want = 2 * grad * weight + price
    assert_allclose(source.pullback(grad)["score"], want, atol=1e-12)


def test_sr_ste_draws_pruned_weights_to_zero_and_kept_ones_nowhere():
    weight, alive, grad = drawn()
    source = straight_through.Refined(weight, alive, decay=0.3)
    source.mask = alive & (np.abs(weight) > 0.7)
    want = np.where(source.mask, grad, grad + 0.3 * weight)
    pulled = source.pullback(grad)["weight"]
    assert_allclose(pulled, np.where(alive, want, 0), atol=1e-15)


def test_soft_movement_keeps_what_its_sigmoid_lifts_above_the_threshold():
    weight, alive, _ = drawn()
    soft = prune.SoftMovement(threshold=0.3, initial=0.4, speed=2.0)
    source = soft.source("w", weight, alive)
    assert_allclose(2.0 * source.thetas["score"], 0.4)
    source.thetas["score"] = np.random.default_rng(3).normal(size=SHAPE)
    soft.sources = {"w": source}
    soft.update(None)
    lifted = 1 / (1 + np.exp(-2.0 * source.thetas["score"])) > 0.3
    assert_array_equal(source.mask, alive & lifted)


def test_top_kast_trains_more_than_it_computes_with_and_nothing_else():
    weight, alive, grad = drawn()
    source = top_kast.Explored(weight, alive, decay=0.1, density=0.25)
    order = np.abs(weight)
    source.mask, source.extra["trained"] = order > 1, order > 0.5
    pulled = source.pullback(grad)["weight"]
    for at in np.ndindex(SHAPE):
        if order[at] > 1:
            want = grad[at] + 0.1 * weight[at]
        elif order[at] > 0.5:
            want = grad[at] + 0.4 * weight[at]  # the decay over the density
        else:
            want = 0.0
        assert pulled[at] == pytest.approx(want, abs=1e-15)


# What a whole run does.


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=12), st.floats(-1, 2))
def test_the_threshold_of_surgery_is_mean_plus_deviations(values, quality):
    if any(values):
        mean, deviation = oracle.mean_and_deviation(values)
        want = max(mean + quality * deviation, 0)
    else:
        want = 0
    assert surgery.threshold(np.array(values), quality) == pytest.approx(
        want, abs=1e-12
    )


def test_surgery_splices_by_two_thresholds():
    net = linear()
    cut = prune.Surgery(0.3, decay=0.0, stop=1.0)
    pairs = []

    def look(run):
        for name, source in cut.sources.items():
            pairs.append((name, source.mask.copy(), source.thetas["weight"].copy()))

    train(net, cut, Watch(look), optimizer=nn.SGD(0.5))
    back = 0
    # With two layers a layer's masks are two apart; those of the last step stay.
    for (name, before, _), (_, after, weight) in zip(
        pairs[:-4], pairs[2:-2], strict=True
    ):
        want = oracle.splice(weight.ravel(), before.ravel(), cut.thresholds[name])
        assert after.ravel().tolist() == want
        back += int((after & ~before).sum())
    assert back > 0, "nothing was spliced back, so that this run shows too little"


def test_surgery_makes_masks_ever_more_rarely():
    """At step i with probability (1 + gamma i)^-p, by a draw that can be repeated."""
    cut = prune.Surgery(0.3, decay=0.5, power=2.0, stop=1.0, seed=3)
    name, before, made = "fc1.weight", [], []

    def look(run):
        source = cut.sources[name]
        draw = stream(3, "surgery", name, run.step).random()
        made.append(run.step < 24 and draw < (1 + 0.5 * run.step) ** -2.0)
        want = before[-1].ravel() if before else None
        if made[-1] and before:
            weight = source.thetas["weight"].ravel()
            want = oracle.splice(weight, want, cut.thresholds[name])
        if before:
            assert_array_equal(source.mask.ravel(), want)
        before.append(source.mask.copy())

    train(linear(), cut, Watch(look), optimizer=nn.SGD(0.5), epochs=6)
    assert 0 < sum(made) < 12


def test_pruned_weights_go_on_learning_under_surgery():
    """The gradient is taken at the masked weight and moves all of them."""
    net = linear()
    cut = prune.Surgery(0.3)
    start = net.copy().weights()["fc1.weight"]
    train(net, cut)
    source = cut.sources["fc1.weight"]
    assert (source.thetas["weight"][~source.mask] != start[~source.mask]).any()


@pytest.mark.parametrize(
    ("procedure", "trained"),
    [
        (prune.Movement(sparsity=0.5, end=6), lambda source: source.mask),
        (
            prune.SoftMovement(threshold=0.5, initial=1e-3, speed=10.0),
            lambda source: source.mask,
        ),
        (
            prune.TopKAST(sparsity=0.8, backward=0.5),
            lambda source: source.extra["trained"],
        ),
    ],
    ids=["movement", "soft movement", "top-KAST"],
)
@pytest.mark.parametrize(
    "optimizer",
    [nn.Adam(1e-2, weight_decay=0.1), nn.AdamW(1e-2, weight_decay=0.1)],
    ids=["Adam", "AdamW"],
)
def test_what_is_not_trained_rests_whatever_the_optimizer(
    procedure, trained, optimizer
):
    """Neither momentum nor weight decay moves it, and nothing of it is remembered."""
    seen = []

    def look(run):
        source = procedure.sources["fc1.weight"]
        slots = run.optimizer.slots["fc1.weight:weight"].values()
        remembered = np.any([slot != 0 for slot in slots], axis=0)
        at = source.thetas["weight"].copy()
        seen.append((at, trained(source).copy(), remembered))

    train(linear(), procedure, Watch(look), optimizer=optimizer)
    rested = 0
    for (before, moves, _), (after, _, remembered) in itertools.pairwise(seen):
        assert_array_equal(after[~moves], before[~moves])
        assert not remembered[~moves].any()
        rested += int((~moves).sum())
    assert rested > 0


def test_sr_ste_keeps_the_largest_of_every_group_at_every_step():
    net = linear()
    nm = prune.StraightThrough(keep=1, group=3)
    pairs = []

    def look(run):
        source = nm.sources["fc1.weight"]
        pairs.append((source.mask.copy(), source.thetas["weight"].copy()))

    train(net, nm, Watch(look))
    for mask, weight in pairs:
        for stays, values in zip(mask, weight, strict=True):
            assert set(np.flatnonzero(stays)) == oracle.best_of_group(values, 1, 3)


def test_edge_popup_draws_its_first_scores_by_the_fan_in():
    popup = prune.EdgePopup(seed=1)
    shape = (50, 4, 5, 5)
    source = popup.source("w", np.zeros(shape), np.ones(shape, bool))
    score = source.thetas["score"]
    bound = 1 / np.sqrt(4 * 5 * 5)
    assert np.abs(score).max() <= bound
    # 5000 uniform draws: the largest is above 0.99 of the bound but for e^-50.
    assert np.abs(score).max() > 0.99 * bound
    assert abs(score.mean()) < 5 * bound / np.sqrt(3 * score.size)


def test_the_price_of_a_gate_and_of_noise_is_shared_by_the_samples():
    gates = prune.HardConcrete(3.0)
    noise = prune.VariationalDropout(strength=2.0, warmup=0.5)
    prices = []
    for procedure in (gates, noise):
        watch = Watch(lambda run, p=procedure: p.sources["fc1.weight"].price)
        train(linear(), procedure, watch)
        prices.append(watch.seen)
    assert prices[0] == [3.0 / 192] * 12
    ramp = [min(1, (step + 1) / 6) for step in range(12)]
    assert prices[1] == pytest.approx([2.0 * part / 192 for part in ramp])


def test_edge_popup_moves_no_parameter_of_the_network():
    net = linear()
    before = net.copy().parameters()
    train(net, prune.EdgePopup(sparsity=0.5), optimizer=nn.SGD(0.5, weight_decay=0.1))
    masks = net.masks()
    for name, array in net.parameters().items():
        stays = masks.get(name, np.ones(array.shape, bool))
        assert_array_equal(array[stays], before[name][stays])


def test_edge_popup_learns_without_training_a_weight():
    net = nn.models.build("mlp", digits(), hidden=(64,), seed=0)
    popup = prune.EdgePopup(sparsity=0.5)
    nn.train(
        net,
        digits(),
        epochs=40,
        procedures=[popup],
        optimizer=nn.SGD(5.0, momentum=0.9),
    )
    assert nn.evaluate(net, digits().train, nn.cross_entropy)[1] > 0.5


def test_phases_release_everything_and_come_back_to_the_asked_sparsity():
    net = linear()
    watch = Watch(lambda run: [int((~m).sum()) for m in run.net.masks().values()])
    train(net, prune.Phases(sparsity=0.5, begin=2, end=8, phases=3), watch)
    free, cut = [step for step, gone in enumerate(watch.seen, 1) if sum(gone) == 0], []
    cut = [step for step, gone in enumerate(watch.seen, 1) if sum(gone) == 444]
    assert free == [1, 3, 4, 6, 7]
    assert cut == [2, 5, 8, 9, 10, 11, 12]


def test_a_released_weight_starts_from_zero_with_nothing_remembered():
    net = linear()
    found = []

    class Look(nn.Procedure):
        def after_step(self, run):
            mask = run.net.masks()["fc1.weight"]
            slots = run.optimizer.slots["fc1.weight"].values()
            found.extend(bool((slot[~mask] == 0).all()) for slot in slots)

    train(
        net,
        prune.Phases(sparsity=0.5, begin=2, end=8, phases=3),
        Look(),
        optimizer=nn.Adam(1e-2),
    )
    assert found
    assert all(found)


def test_soft_filters_compete_again_in_every_epoch():
    net = linear()
    soft = prune.SoftFilters(sparsity=0.5)
    masks, moved = [], []

    class Look(nn.Procedure):
        def after_step(self, run):
            if masks:
                zeroed = run.net.weights()["fc1.weight"][~masks[-1]]
                moved.append(bool(zeroed.any()))

        def end_epoch(self, run):
            masks.append(run.net.masks()["fc1.weight"].any(axis=1))

    train(net, soft, Look(), optimizer=nn.SGD(0.5))
    assert all(mask.sum() == 6 for mask in masks)
    assert all(moved)  # filters that were zeroed have gradients while the epoch runs


def test_admm_draws_the_weights_towards_their_pruned_copy():
    def apart(pull):
        net = linear()
        admm = prune.ADMM(sparsity=0.5, pull=pull, end=12, frequency=4)
        seen = []

        def look(run):
            if run.step == 11:
                w = run.net.weights()["fc1.weight"]
                seen.append(float(np.abs(w - admm.copy["fc1.weight"]).sum()))

        train(net, admm, Watch(look))
        return seen[0]

    assert apart(5.0) < 0.5 * apart(0.0)


def test_admm_charges_the_distance_to_the_copy():
    """One step against the gradient of the augmented Lagrangian, by its definition."""
    net = linear().astype(np.float64)
    plain = net.copy()
    one = {"epochs": 1, "batch_size": 192, "optimizer": nn.SGD(1.0)}
    start = net.copy().weights()["fc1.weight"]
    keep = np.abs(start)
    nn.train(plain, digits(), **one)

    admm = prune.ADMM(sparsity=0.5, pull=0.3, end=1, frequency=1, scope="layer")
    seen = {}

    class Look(nn.Procedure):
        def after_backward(self, run):
            seen["copy"] = admm.copy["fc1.weight"].copy()
            seen["grad"] = run.net.owner("t", "fc1.weight")[0].grads["weight"].copy()

    nn.train(net, digits(), procedures=[admm, Look()], **one)
    loss_grad = start - plain.weights()["fc1.weight"]
    half = np.median(keep)
    copy = np.where(keep > half, start, 0)
    assert_allclose(seen["copy"], copy, atol=0)
    assert_allclose(seen["grad"], loss_grad + 0.3 * (start - copy), atol=1e-12)


def test_admm_takes_a_new_copy_and_adds_up_what_is_apart_when_it_is_due():
    """Z = half of W + U, the largest; U grows by W - Z: at steps 3 and 6, by hand."""
    admm = prune.ADMM(sparsity=0.5, pull=0.5, end=9, frequency=3, scope="layer")
    seen = []

    def look(run):
        weight = run.net.weights()["fc1.weight"].copy()
        copy, dual = (part["fc1.weight"].copy() for part in (admm.copy, admm.dual))
        seen.append((weight, copy, dual))

    net = linear().astype(np.float64)
    train(net, admm, Watch(look))
    copy, dual = seen[0][1], np.zeros_like(seen[0][0])
    for step, (weight, found, apart) in enumerate(seen, 1):
        if step in (3, 6):
            moved = weight + dual
            copy = np.where(np.abs(moved) > np.median(np.abs(moved)), moved, 0)
            dual = dual + weight - copy
        assert_allclose(found, copy, rtol=0, atol=1e-14)
        assert_allclose(apart, dual, rtol=0, atol=1e-14)
    gone = (seen[8][0] == 0).sum()
    assert gone == 12 * 64 // 2  # cut for good at step 9


def test_admm_leaves_alone_what_is_not_pruned():
    """A weight without a constraint has no copy that it could be drawn to."""

    class Note(nn.Procedure):
        def __init__(self):
            self.seen = []

        def after_backward(self, run):
            self.seen.append({k: g.copy() for k, g in run.net.gradients().items()})

    before, after = Note(), Note()
    admm = prune.ADMM(sparsity=0.5, pull=1.0, end=6, exclude=["fc2.weight"])
    train(linear(), before, admm, after)
    pairs = list(zip(before.seen, after.seen, strict=True))
    for first, second in pairs:
        assert_array_equal(first["fc2.weight"], second["fc2.weight"])
    pulled = [bool((a["fc1.weight"] != b["fc1.weight"]).any()) for a, b in pairs]
    assert pulled == [True] * 6 + [False] * 6


def test_a_penalty_makes_what_is_cut_lighter():
    def cut_away(strength):
        net = linear()
        watch = Watch(
            lambda run: np.sort(np.abs(run.net.weights()["fc1.weight"].ravel()))
        )
        cut = prune.Regularized("l1", strength=strength, sparsity=0.5, at=12)
        train(net, cut, watch, epochs=3)
        return watch.seen[10][:384].sum()

    assert cut_away(0.01) < 0.9 * cut_away(0.0)


@pytest.mark.parametrize("penalty", ["l1", "group_lasso"])
def test_the_penalty_is_in_the_gradient_by_its_definition(penalty):
    """Written out: the sign of a weight; sqrt(K) times a row over its length."""

    class Note(nn.Procedure):
        def __init__(self):
            self.seen = {}

        def after_backward(self, run):
            grads, weights = run.net.gradients(), run.net.weights()
            for name in weights if run.step == 0 else ():
                self.seen[name] = grads[name].copy(), weights[name].copy()

    before, after = Note(), Note()
    cut = prune.Regularized(penalty, strength=0.25, sparsity=0.5, at=2)
    train(linear(), before, cut, after, epochs=1)
    for name, (grad, weight) in after.seen.items():
        rows = np.sqrt(weight.shape[1] / (weight**2).sum(axis=1, keepdims=True))
        slope = np.sign(weight) if penalty == "l1" else rows * weight
        want = before.seen[name][0] + 0.25 * slope
        assert_allclose(grad, want, rtol=1e-5, atol=1e-6)  # float32


def test_a_growing_penalty_presses_only_what_will_go():
    net = linear()
    grow = prune.GrowingPenalty(
        "magnitude", sparsity=0.5, growth=0.5, ceiling=5.0, frequency=1, at=11
    )
    seen = []

    def look(run):
        mask = grow.masks["fc1.weight"]
        size = np.abs(run.net.weights()["fc1.weight"])
        seen.append((size[mask].sum(), size[~mask].sum()))

    train(net, grow, Watch(look))
    assert grow.factor(3) == 1.5
    assert grow.factor(99) == 5.0
    assert seen[9][1] < 0.3 * seen[0][1]
    assert seen[9][0] > 0.7 * seen[0][0]


def test_a_growing_penalty_presses_stored_weights_as_it_presses_masked_ones():
    masked = linear().astype(np.float64)
    prune.OneShot("random", sparsity=0.4).run(masked)
    held = masked.copy()
    prune.hold_sparsely(held)
    for net in (masked, held):
        grow = prune.GrowingPenalty("magnitude", sparsity=0.7, growth=0.1, frequency=1)
        train(net, grow)
    for name, weight in masked.weights().items():
        assert_array_equal(held.masks()[name], masked.masks()[name])
        assert_allclose(held.weights()[name], weight, rtol=0, atol=1e-12)


def test_slimming_needs_a_batch_norm():
    with pytest.raises(ValueError, match="the network has none"):
        train(linear(), prune.Regularized("slimming", sparsity=0.5))


def test_where_papers_or_their_code_give_defaults_they_are_those():
    rigl, nm = prune.RigL(), prune.StraightThrough()
    assert (rigl.fraction, rigl.frequency, rigl.end_at) == (0.3, 100, 0.75)
    assert (prune.SET().fraction, prune.SET().spread) == (0.3, 0.1)
    assert prune.SNFS().fraction == 0.5
    assert (nm.keep, nm.group, nm.decay) == (2, 4, 2e-4)
    assert prune.VariationalDropout().threshold == 3.0
    assert prune.TopKAST(sparsity="0.8", backward=0.5).density == pytest.approx(0.2)
    assert prune.iterative_snip(0.5).revive is False
    assert prune.synflow(0.5).rounds == 100


# What is refused.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: prune.TopKAST(sparsity=0.5, backward=0.8), "the nearest is 0.5"),
        (lambda: prune.TopKAST(sparsity=1.0, backward=0.5), "expected below 1"),
        (lambda: prune.HardConcrete(open=1.0), "between 0 and 1"),
        (lambda: prune.SoftMovement(threshold=0.0), "between 0 and 1"),
        (lambda: prune.SoftMovement(speed=0), "speed is 0; expected above 0"),
        (lambda: prune.SoftMovement(penalty=-1), "penalty is -1; expected a finite"),
        (lambda: prune.ADMM(sparsity=0.5, pull=math.nan), "pull is nan"),
        (lambda: prune.DeepR(temperature=-1.0), "temperature is -1.0; expected"),
        (lambda: prune.DeepR(pull=-1.0), "pull is -1.0; expected"),
        (lambda: prune.SET(spread=-0.1), "spread is -0.1; .* number, 0 or more"),
        (lambda: prune.HardConcrete(-1.0), "penalty is -1.0"),
        (lambda: prune.SoftThreshold(-math.inf), "initial is -inf; .* finite number$"),
        (lambda: prune.SoftThreshold(decay=-1e-4), "decay is -0.0001"),
        (lambda: prune.StraightThrough(decay=math.inf), "decay is inf"),
        (lambda: prune.TopKAST(sparsity=0.5, backward=0, decay=-1), "decay is -1"),
        (lambda: prune.Surgery(math.inf), "quality is inf"),
        (lambda: prune.Surgery(decay=-5), "decay is -5"),
        (lambda: prune.Surgery(power=math.nan), "power is nan"),
        (lambda: prune.VariationalDropout(warmup=-1), "warmup is -1"),
        (lambda: prune.VariationalDropout(strength=-1), "strength is -1"),
        (lambda: prune.Regularized(sparsity=0.5, strength=math.nan), "strength is"),
        (lambda: prune.GrowingPenalty(sparsity=0.5, growth=-1), "growth is -1"),
        (lambda: prune.GrowingPenalty(sparsity=0.5, ceiling=math.nan), "ceiling is"),
        (lambda: prune.Powerpropagation(math.inf), "alpha is inf; .* 1 or more"),
        (lambda: prune.OneShot(sparsity=0.5, options={"no": 1}), "no option 'no'"),
        (lambda: prune.Powerpropagation(0.5), "alpha is 0.5; .* 1 or more"),
        (lambda: prune.StraightThrough(keep=5, group=4), "expected at most 4"),
        (lambda: prune.Regularized("l3", sparsity=0.5), "did you mean 'l1'"),
        (lambda: prune.Phases(sparsity=0.5, phases=0), "expected 1 or more"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("procedure", "message"),
    [
        (prune.Phases(sparsity=0.5, begin=4, end=5, phases=3), "end=8"),
        (prune.Surgery(stop=13), "the nearest that can be met is 12"),
        (prune.ADMM(sparsity=0.5, end=13), "the nearest that can be met is 12"),
        (prune.Movement(sparsity=0.5, begin=8, end=4), "the nearest end is 8"),
        (prune.Gradual(sparsity=0.9999), FEWEST),
        (prune.Movement(sparsity=0.9999, scope="network"), FEWEST),
        (prune.Regularized(sparsity=0.9999), FEWEST),
        (prune.Phases(sparsity=0.9999), FEWEST),
        (prune.ADMM(sparsity=0.9999), FEWEST),
        (prune.TopKAST(sparsity=0.9999, backward=0.5, scope="network"), FEWEST),
        (prune.EdgePopup(sparsity=0.9999, scope="network"), FEWEST),
        (prune.SoftFilters(sparsity=1.0, scope="network"), "can be met is 11 "),
        (prune.GrowingPenalty(sparsity=1.0), "can be met is 11 "),
        (
            prune.GradualChannels(prune.Channels("l1_norm"), sparsity=1.0),
            "can be met is 11 ",
        ),
        (prune.Regularized(sparsity=0.5, **IN_GROUPS), "from keep and group"),
        (prune.SoftFilters("magnitude", sparsity=0.5, **IN_GROUPS), "from keep and"),
        (prune.Phases(sparsity=0.5, **IN_GROUPS), "from keep and group"),
    ],
)
def test_what_the_run_cannot_hold_is_refused_before_training(procedure, message):
    net, watch = linear(), Watch(lambda run: None)
    before = net.copy().weights()
    with pytest.raises(ValueError, match=message):
        train(net, procedure, watch)
    assert not watch.seen
    for name, weight in net.weights().items():
        assert_array_equal(weight, before[name])


@pytest.mark.parametrize(
    "procedure",
    [
        prune.Gradual(sparsity=0.1),
        prune.Movement(sparsity=0.1),
        prune.Regularized(sparsity=0.1),
        prune.Phases(sparsity=0.1),
        prune.EdgePopup(sparsity=0.1),
        prune.TopKAST(sparsity=0.1, backward=0),
    ],
    ids=lambda procedure: type(procedure).__name__,
)
def test_less_than_is_gone_already_is_refused_before_training(procedure):
    net, watch = linear(), Watch(lambda run: None)
    prune.OneShot(sparsity=0.5, scope="layer").run(net)
    with pytest.raises(ValueError, match="already gone and stay gone"):
        train(net, procedure, watch)
    assert not watch.seen


@pytest.mark.parametrize(
    "procedures",
    [
        (prune.Movement(sparsity=0.5), prune.Gradual(sparsity=0.8)),
        (prune.Gradual(sparsity=0.8), prune.Movement(sparsity=0.5)),
        (prune.SoftThreshold(), prune.OneShot(sparsity=0.8)),
        (prune.SoftThreshold(), prune.HardConcrete()),
        (prune.Powerpropagation(), prune.Surgery()),
    ],
    ids=lambda both: ", ".join(type(one).__name__ for one in both),
)
def test_two_procedures_that_would_undo_each_other_are_refused(procedures):
    with pytest.raises(ValueError, match=r"another procedure changes fc1\.weight too"):
        train(linear(), *procedures)


def test_two_procedures_may_share_a_network_weight_by_weight():
    first = prune.Movement(sparsity=0.5, exclude=["fc2.weight"])
    second = prune.Surgery(exclude=["fc1.weight"])
    net = train(linear(), first, second)
    assert first.sources.keys() == {"fc1.weight"}
    assert second.sources.keys() == {"fc2.weight"}
    assert not any(mask.all() for mask in net.masks().values())


def test_a_sparse_network_cannot_bring_back_what_it_does_not_store():
    net = linear()
    prune.OneShot("magnitude", sparsity=0.5).run(net)
    prune.hold_sparsely(net)
    with pytest.raises(ValueError, match="held sparsely"):
        train(net, prune.Surgery())


def test_an_adaptive_threshold_rises_while_the_network_can_bear_it():
    calm = masks.AdaptiveThreshold(
        0.1, factor=2.0, calm=10.0, rough=20.0, tolerance=1.0
    )
    adaptive = prune.Adaptive(calm, frequency=2, end=8)
    watch, lengths = Watch(lambda run: run.net.masks()["fc1.weight"].sum()), []

    class Length(nn.Procedure):
        def after_backward(self, run):
            squares = [
                (g.astype(float) ** 2).sum() for g in run.net.gradients().values()
            ]
            lengths.append(np.sqrt(sum(squares)))

    train(linear(), Length(), adaptive, watch)
    # Looks at steps 2, 4, 6 and 8: the first has nothing to compare with.
    assert adaptive.ramp.value == pytest.approx(0.8)
    assert adaptive.ramp.norm == pytest.approx(np.mean(lengths[6:8]))
    assert watch.seen[1] > watch.seen[3] > watch.seen[5] > watch.seen[7]
    assert watch.seen[7] == watch.seen[11]


def test_an_adaptive_threshold_begins_at_half_a_deviation():
    """Of normal weights erf(0.5 / sqrt 2) lie below; 17,024 drawn: deviation 0.0037."""
    net = nn.models.build("mlp", digits(), seed=0)
    for name, weight in net.weights().items():
        weight[...] = np.random.default_rng(len(name)).normal(size=weight.shape)
    train(net, prune.Adaptive(frequency=1, end=1), optimizer=nn.SGD(1e-9), epochs=1)
    masks = np.concatenate([mask.ravel() for mask in net.masks().values()])
    assert len(masks) == 17_024
    assert abs((~masks).mean() - math.erf(0.5 / math.sqrt(2))) < 5 * 0.0037


def test_an_adaptive_threshold_yields_where_the_score_falls():
    strict = masks.AdaptiveThreshold(
        0.1, factor=2.0, calm=10.0, rough=20.0, tolerance=0
    )
    net = linear()
    train(net, epochs=20, optimizer=nn.Adam(1e-2))
    adaptive = prune.Adaptive(strict, frequency=1, end=12)
    watch = Watch(lambda run: adaptive.ramp.value)
    train(net, adaptive, watch, optimizer=nn.SGD(2.0))
    assert min(watch.seen) < 0.1


@pytest.mark.parametrize(
    "procedure",
    [
        prune.Surgery(exclude=["fc3.weight"]),
        prune.Adaptive(exclude=["fc3.weight"]),
        prune.OneShot(sparsity=0.5, exclude=["fc3.weight"]),
        prune.RigL(exclude=["fc3.weight"]),
    ],
    ids=lambda procedure: type(procedure).__name__,
)
def test_a_weight_that_is_excluded_has_to_be_there(procedure):
    start = prune.OneShot("random", sparsity=0.1)
    with pytest.raises(ValueError, match="did you mean 'fc"):
        train(linear(), start, procedure)


@pytest.mark.parametrize(
    "make",
    [
        lambda out: prune.Surgery(exclude=out),
        lambda out: prune.Movement(sparsity=0.5, exclude=out),
        lambda out: prune.Gradual(sparsity=0.5, exclude=["fc2*"]),
    ],
)
def test_a_weight_that_is_excluded_stays_whole(make):
    net = train(linear(), make(["fc2.weight"]))
    assert net.masks()["fc2.weight"].all()
    assert not net.masks()["fc1.weight"].all()
