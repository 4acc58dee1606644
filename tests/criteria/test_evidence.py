"""Every piece of evidence against its definition, on networks small enough for it."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune import data, nn
from minprune.criteria import CATALOG
from minprune.criteria.evidence import EVIDENCE, collect, hessian_product
from minprune.criteria.evidence import _moments as moments
from minprune.criteria.evidence._examples import choose
from minprune.sparse import SparseConv2d, SparseLinear
from tests.criteria.properties import EVIDENCE as SHAPES
from tests.oracles import evidence as oracle
from tests.oracles import layers, losses
from tests.oracles.network import slope

RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 5))
Y = RNG.integers(3, size=7)


def network(activation=nn.Tanh):
    """5-4-3, 32 weights."""
    root = nn.Sequential(
        {"a": nn.Linear(5, 4), "f": activation(), "b": nn.Linear(4, 3)}
    )
    return nn.Network(root, (5,), seed=0).astype(np.float64)


def loss_of(net, activation=np.tanh, x=X, y=Y):
    """The mean loss as a function of one weight, all else as in the network."""
    params = net.parameters()

    def loss(name, value):
        p = params | {name: value}
        hidden = activation(x @ p["a.weight"].T + p["a.bias"])
        return losses.cross_entropy(hidden @ p["b.weight"].T + p["b.bias"], y)

    return loss


def conv_network(groups=2):
    """A grouped convolution with batch norm, ReLU and a pool, then a linear layer."""
    root = nn.Sequential(
        {
            "conv": nn.Conv2d(2, 4, 3, padding=1, groups=groups),
            "bn": nn.BatchNorm(4),
            "relu": nn.ReLU(),
            "pool": nn.MaxPool2d(2),
            "flatten": nn.Flatten(),
            "fc": nn.Linear(16, 3),
        }
    )
    net = nn.Network(root, (2, 4, 4), seed=2).astype(np.float64)
    rng = np.random.default_rng(5)
    norm = net.layers()["bn"]
    norm.buffers["running_mean"][:] = rng.normal(size=4)
    norm.buffers["running_var"][:] = rng.uniform(0.5, 2, 4)
    norm.params["weight"][:] = rng.normal(size=4)
    return net


IMAGES = np.random.default_rng(3).normal(size=(6, 2, 4, 4))
LABELS = np.arange(6) % 3


def patches(x, groups=2):
    """Unfolded columns (examples, groups, K, positions), by looking under every tap."""
    found = np.zeros((len(x), 2, 9, 16))
    for n, sample in enumerate(x):
        taps = layers.windows(sample, (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
        for p, q, inside in taps:
            for c, i, j, value in inside:
                found[n, c, 3 * i + j, 4 * p + q] = value
    return found.reshape(len(x), groups, -1, 16)


def test_of_a_data_set_the_training_split_is_taken():
    digits = data.load("digits")
    net = nn.models.build("mlp", digits, seed=0)
    whole, split = (
        collect(net, source, ["grad"], examples=20, seed=3)
        for source in (digits, digits.train)
    )
    for name, found in whole.items():
        assert_array_equal(found["grad"], split[name]["grad"])


@pytest.mark.parametrize("batch", [1, 3, 7, 100])
def test_grad_is_the_slope_of_the_mean_loss(batch):
    net = network()
    found = collect(net, (X, Y), ["grad", "weight"], batch=batch)
    loss = loss_of(net)
    for name, evidence in found.items():
        weight = net.weights()[name]
        assert_array_equal(evidence["weight"], weight)
        wanted = slope(lambda w, name=name: loss(name, w), weight)
        assert_allclose(evidence["grad"], wanted, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_gradients_of_examples_and_batches_are_those_of_their_own_loss(batch):
    net = network()
    needs = ["grad_by_example", "grad_by_batch", "fisher_diag"]
    found = collect(net, (X, Y), needs, batch=batch)
    for name, evidence in found.items():
        weight, each = net.weights()[name], []
        for n in range(7):
            loss = loss_of(net, x=X[n : n + 1], y=Y[n : n + 1])
            each.append(slope(lambda w, name=name, f=loss: f(name, w), weight))
        assert_allclose(evidence["grad_by_example"], each, rtol=1e-11, atol=1e-14)
        means = [np.mean(each[i : i + batch], axis=0) for i in range(0, 7, batch)]
        assert_allclose(evidence["grad_by_batch"], means, rtol=1e-11, atol=1e-14)
        square = np.mean(np.square(each), axis=0)
        assert_allclose(evidence["fisher_diag"], square, rtol=1e-11, atol=1e-14)


def test_example_gradients_of_a_convolution_are_those_of_batches_of_one():
    needs = ["grad_by_example", "fisher_diag"]
    together = collect(conv_network(), (IMAGES, LABELS), needs, batch=6)
    alone = collect(conv_network(), (IMAGES, LABELS), needs, batch=1)
    for name, evidence in together.items():
        for need in needs:
            assert_allclose(evidence[need], alone[name][need], rtol=1e-11, atol=1e-15)


def test_pieces_of_a_batch_add_up(monkeypatch):
    """However little scratch there is, the sums are the same."""
    needs = ["fisher_diag", "grad_by_example", "gram", "input_norm"]
    whole = collect(conv_network(), (IMAGES, LABELS), needs)
    monkeypatch.setattr(moments, "LIMIT", 1)
    parts = collect(conv_network(), (IMAGES, LABELS), needs)
    for name, evidence in whole.items():
        for need in needs:
            assert_allclose(parts[name][need], evidence[need], rtol=1e-12, atol=1e-15)


def test_inputs_of_a_linear_layer():
    needs = ["input_norm", "gram", "kfac_a"]
    found = collect(network(), (X, Y), needs, batch=3)["a.weight"]
    gram = sum(np.outer(x, x) for x in X) / 7
    assert_allclose(found["gram"], gram, rtol=1e-13)
    assert_array_equal(found["kfac_a"], found["gram"])
    assert_allclose(found["input_norm"], np.sqrt(np.diag(gram)), rtol=1e-13)


def test_inputs_of_a_convolution_are_its_columns():
    needs = ["input_norm", "gram"]
    found = collect(conv_network(), (IMAGES, LABELS), needs, batch=4)["conv.weight"]
    columns = patches(IMAGES)
    gram = np.zeros((2, 9, 9))
    for n, g, position in np.ndindex(6, 2, 16):
        x = columns[n, g, :, position]
        gram[g] += np.outer(x, x) / (6 * 16)
    assert_allclose(found["gram"], gram, rtol=1e-12, atol=1e-15)
    norms = np.sqrt([np.diag(g) for g in gram])
    assert_allclose(found["input_norm"], norms, rtol=1e-12)


def test_variances_are_about_the_mean_and_do_not_cancel():
    found = collect(network(), (X, Y), ["input_variance"], batch=3)["a.weight"]
    assert_allclose(found["input_variance"], X.var(axis=0), rtol=1e-12)
    far = collect(network(), (X + 2.0**24, Y), ["input_variance"], batch=3)
    moved = (X + 2.0**24).var(axis=0)  # squares less squares would leave two digits
    assert_allclose(far["a.weight"]["input_variance"], moved, rtol=1e-9)


def test_variances_of_a_convolution_are_of_its_columns():
    found = collect(conv_network(), (IMAGES, LABELS), ["input_variance"], batch=4)
    columns = np.moveaxis(patches(IMAGES), 0, -1)  # (groups, K, positions, examples)
    want = columns.reshape(2, 9, -1).var(axis=2)
    got = found["conv.weight"]["input_variance"]
    assert_allclose(got, want, rtol=1e-12, atol=1e-15)


def test_outputs_and_what_units_hand_on():
    needs = ["output", "activation", "output_gram"]
    found = collect(conv_network(), (IMAGES, LABELS), needs, batch=4)["conv.weight"]
    net = conv_network()
    conv, norm = net.layers()["conv"], net.layers()["bn"]
    raw = [
        layers.conv(x, **conv.params, stride=(1, 1), padding=((1, 1), (1, 1)),
                    dilation=(1, 1), groups=2)
        for x in IMAGES
    ]  # fmt: skip
    normed = [
        layers.fixed_norm(
            y, **norm.params, eps=norm.eps,
            mean=norm.buffers["running_mean"], variance=norm.buffers["running_var"],
        )
        for y in raw
    ]  # fmt: skip
    assert_allclose(found["output"], raw, rtol=1e-12, atol=1e-14)
    assert_allclose(found["activation"], np.maximum(normed, 0), rtol=1e-12, atol=1e-14)
    gram = np.einsum("nchw,ndhw->cd", raw, raw) / (6 * 16)
    assert_allclose(found["output_gram"], gram, rtol=1e-12)


def test_gradients_at_the_outputs_are_of_each_examples_own_loss():
    net = network()
    needs = ["activation", "activation_grad", "kfac_g"]
    found = collect(net, (X, Y), needs, batch=3)
    params = net.parameters()

    def tail(hidden, n):
        z = hidden @ params["b.weight"].T + params["b.bias"]
        return losses.cross_entropy(z[None], Y[n : n + 1])

    raw = X @ params["a.weight"].T + params["a.bias"]
    hidden = [slope(lambda h, n=n: tail(h, n), np.tanh(raw[n])) for n in range(7)]
    assert_allclose(found["a.weight"]["activation"], np.tanh(raw), rtol=1e-13)
    assert_allclose(
        found["a.weight"]["activation_grad"], hidden, rtol=1e-11, atol=1e-15
    )
    before = [slope(lambda z, n=n: tail(np.tanh(z), n), raw[n]) for n in range(7)]
    gram = sum(np.outer(g, g) for g in before) / 7
    assert_allclose(found["a.weight"]["kfac_g"], gram, rtol=1e-11, atol=1e-15)


def test_the_gate_theorem():
    """Fading a unit out moves the loss as its activations, or all its weights, say."""
    net = conv_network()
    net.layers()["conv"].params["bias"][:] = 0
    net.layers()["bn"].params["bias"][:] = 0
    net.layers()["bn"].buffers["running_mean"][:] = 0
    needs = ["weight", "grad", "activation", "activation_grad"]
    found = collect(net, (IMAGES, LABELS), needs)["conv.weight"]
    by_weight = (found["weight"] * found["grad"]).sum(axis=(1, 2, 3))
    products = found["activation"] * found["activation_grad"]
    assert_allclose(products.sum(axis=(2, 3)).mean(axis=0), by_weight, rtol=1e-11)


def test_batch_norm_of_a_layer():
    needs = ["bn_scale", "bn_shift", "bn_scale_grad", "bn_shift_grad"]
    needs += ["bn_scale_grad_by_batch", "bn_shift_grad_by_batch"]
    net = conv_network()
    found = collect(net, (IMAGES, LABELS), needs, batch=3)
    assert list(found) == ["conv.weight"]
    found = found["conv.weight"]
    norm = net.layers()["bn"]
    assert_array_equal(found["bn_scale"], norm.params["weight"])
    assert_array_equal(found["bn_shift"], norm.params["bias"])
    stepped = conv_network().astype(np.complex128)
    for need, key in (("bn_scale", "weight"), ("bn_shift", "bias")):

        def loss(value, key=key):
            params = stepped.layers()["bn"].params
            params[key] = value
            y = stepped(IMAGES)
            params[key] = norm.params[key].astype(complex)
            return losses.cross_entropy(y, LABELS)

        wanted = slope(loss, norm.params[key])
        assert_allclose(found[f"{need}_grad"], wanted, rtol=1e-11, atol=1e-14)
        batches = found[f"{need}_grad_by_batch"]
        assert batches.shape == (2, 4)
        assert_allclose(batches.mean(axis=0), wanted, rtol=1e-11, atol=1e-14)


def test_hessian_and_its_products_by_differences():
    net = network()
    needs = ["hessian", "hvp", "hess_diag", "hessian_grad", "grad"]
    found = collect(net, (X, Y), needs, batch=3)
    loss = loss_of(net)
    for name, evidence in found.items():
        weight = net.weights()[name]
        wanted = oracle.hessian(lambda w, name=name: loss(name, w), weight)
        assert_allclose(evidence["hessian"], wanted, atol=1e-7)
        assert_allclose(evidence["hess_diag"].ravel(), np.diag(wanted), atol=1e-7)
        v = np.random.default_rng(0).normal(size=weight.shape)
        product = evidence["hvp"](v)
        assert_allclose(
            product.ravel(), evidence["hessian"] @ v.ravel(), rtol=1e-10, atol=1e-13
        )


def test_hessian_grad_crosses_layers():
    """(H g) is half the slope of the squared gradient norm, by differences."""
    net, step = network(), 1e-6
    g = {k: e["grad"] for k, e in collect(net, (X, Y), ["grad"]).items()}

    def norm(name, index, sign):
        moved = net.copy()
        moved.parameters()[name][index] += sign * step
        found = collect(moved, (X, Y), ["grad"])
        return sum((e["grad"] ** 2).sum() for e in found.values())

    found = collect(net, (X, Y), ["hessian_grad"])
    for name, grad in g.items():
        for index in [(0, 0), (2, 3)]:
            slope = (norm(name, index, 1) - norm(name, index, -1)) / (4 * step)
            assert_allclose(found[name]["hessian_grad"][index], slope, atol=1e-8)
        assert found[name]["hessian_grad"].shape == grad.shape


def saddle(output, target, /):
    """A loss that bends down as well as up: the product of the first two outputs."""
    gradient = np.zeros_like(output)
    gradient[:2] = output[1::-1] / output.shape[1]
    return (output[0] * output[1]).mean().item(), gradient


@pytest.mark.parametrize("loss", [nn.cross_entropy, nn.mean_squared_error, saddle])
def test_the_diagonal_is_exact_on_either_way(loss):
    """Carried back through the output, or stepped weight by weight: the same."""
    net = conv_network()
    target = LABELS if loss is nn.cross_entropy else np.eye(3)[LABELS]
    found = collect(net, (IMAGES, target), ["hess_diag"], batch=4, loss=loss)
    product = hessian_product(net, choose((IMAGES, target), None, 3, 0, loss))
    for name, evidence in found.items():
        flat = evidence["hess_diag"].ravel()
        for i in range(0, flat.size, 5):
            unit = np.zeros(flat.size)
            unit[i] = 1
            unit = unit.reshape(evidence["hess_diag"].shape)
            wanted = (product({name: unit})[name] * unit).sum()
            assert_allclose(flat[i], wanted, rtol=1e-10, atol=1e-13)


def test_loss_change_is_really_removing():
    net = network()
    found = collect(net, (X, Y), ["loss_change"], batch=3)
    base = loss_of(net)("a.bias", net.parameters()["a.bias"])
    for unit in range(4):
        cut = net.copy()
        cut.parameters()["b.weight"][:, unit] = 0
        rise = loss_of(cut)("a.bias", cut.parameters()["a.bias"]) - base
        assert_allclose(found["a.weight"]["loss_change"][unit], rise, atol=1e-13)
    found = collect(conv_network(), (IMAGES, LABELS), ["loss_change"])["conv.weight"]
    net = conv_network()
    for unit in range(4):
        cut = conv_network()
        cut.parameters()["fc.weight"][:, 4 * unit : 4 * unit + 4] = 0
        rise = losses.cross_entropy(cut(IMAGES), LABELS)
        rise -= losses.cross_entropy(net(IMAGES), LABELS)
        assert_allclose(found["loss_change"][unit], rise, atol=1e-13)


@pytest.mark.parametrize(
    ("need", "size"), [("flow_grad", np.abs), ("path_grad", np.square)]
)
def test_flow_is_the_slope_of_the_sum_over_paths(need, size):
    root = nn.Sequential(
        nn.Linear(5, 4, bias=False), nn.ReLU(), nn.Linear(4, 3, bias=False)
    )
    net = nn.Network(root, (5,), seed=0, scale=9.0).astype(np.float64)
    found = collect(net, None, [need])
    sizes = [size(w) for w in net.weights().values()]
    for i, evidence in enumerate(found.values()):

        def total(value, i=i):
            return oracle.paths([*sizes[:i], value, *sizes[i + 1 :]])

        assert_allclose(evidence[need], slope(total, sizes[i]), rtol=1e-12)


def test_flow_of_a_batch_normed_network_is_conserved():
    """Every layer's scores sum to what flows out, biases and shifts being zero."""
    net = conv_network()
    for name, layer in net.layers().items():
        if "bias" in layer.params:
            layer.params["bias"][:] = 0
        if name == "bn":
            layer.buffers["running_mean"][:] = 0
    needs = ["weight", "flow_grad", "path_grad"]
    found = collect(net, None, needs)
    for power, need in ((1, "flow_grad"), (2, "path_grad")):
        sums = [(np.abs(e["weight"]) ** power * e[need]).sum() for e in found.values()]
        assert_allclose(sums[1:], sums[0], rtol=1e-12)


def test_the_weight_that_reads_a_unit():
    net = conv_network()
    found = collect(net, None, ["next_weight"])
    assert list(found) == ["conv.weight"]
    fc = net.weights()["fc.weight"]
    assert_array_equal(found["conv.weight"]["next_weight"], fc.reshape(3, 4, 4))
    assert_array_equal(
        collect(network(), None, ["next_weight"])["a.weight"]["next_weight"],
        network().weights()["b.weight"],
    )


def test_units_are_found_through_nested_chains_and_not_around_branches():
    block = nn.Sequential({"conv": nn.Conv1d(1, 2, 1), "bn": nn.BatchNorm(2)})
    root = nn.Sequential(
        {
            "block": block,
            "relu": nn.ReLU(),
            "res": nn.Residual(nn.Sequential(nn.Conv1d(2, 2, 1))),
            "end": nn.Sequential(nn.Conv1d(2, 1, 1), nn.Flatten()),
        }
    )
    net = nn.Network(root, (1, 3), seed=0)
    found = collect(net, None, ["bn_scale"])
    assert list(found) == ["block.conv.weight"]
    found = collect(
        net, (np.ones((2, 1, 3)), np.array([0, 1])), ["activation", "output"]
    )
    first = found["block.conv.weight"]
    assert (first["activation"] >= 0).all()
    assert (first["output"] < 0).any()
    with pytest.raises(ValueError, match=r"no layer has next_weight; .*plain chain"):
        collect(net, None, ["next_weight"])


def test_dropout_does_not_stand_between_a_unit_and_its_reader():
    root = nn.Sequential(
        nn.Linear(5, 4), nn.Dropout(0.5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 3)
    )
    net = nn.Network(root, (5,), seed=0)
    found = collect(net, (X, Y), ["next_weight", "activation"])
    assert list(found) == ["0.weight"]
    assert_array_equal(found["0.weight"]["next_weight"], net.weights()["4.weight"])
    assert (found["0.weight"]["activation"] >= 0).all()


DATA_NEEDS = sorted(set(EVIDENCE) - {"hvp"})


@pytest.mark.parametrize("need", DATA_NEEDS)
def test_shapes_are_those_the_criteria_are_tested_with(need):
    case = pytest.importorskip("tests.criteria.properties").GROUPED
    root = nn.Sequential(
        {
            "conv": nn.Conv2d(4, 4, 2, groups=2),
            "bn": nn.BatchNorm(4),
            "next": nn.Conv2d(4, 3, 2),
            "flat": nn.Flatten(),
        }
    )
    net = nn.Network(root, (4, 4, 3), seed=0)  # 3 x 2 places behind the convolution
    x, y = np.random.default_rng(0).normal(size=(5, 4, 4, 3)), np.arange(5) % 2
    found = collect(net, (x, y), [need], batch=2)["conv.weight"][need]
    sizes = [case.size(role) for role in SHAPES[need].roles(case)]
    assert list(found.shape) == sizes
    assert found.dtype == np.float64
    assert np.isfinite(found).all()


def test_what_score_criteria_need_is_collected_here_or_known_to_come_from_elsewhere():
    elsewhere = {
        "block_input",  # of a residual block as a whole
        "block_loss_change",
        "block_output",
        "coupled_norms",  # structure: which channels must go together
        "dense_weight",  # prune: a weight kept behind its mask
        "gate_grad",  # prune: through steps of training
        "initial_weight",  # prune: before training
        "squared_updates",  # prune: during training
    }
    needs = {need for card in CATALOG.values() for need in card.needs}
    unknown = needs - set(EVIDENCE)
    assert {need for need in unknown if need in SHAPES} <= elsewhere


@pytest.mark.parametrize("form", ["csr", "bsr"])
def test_sparse_layers_give_what_dense_ones_with_a_mask_give(form):
    net = conv_network(groups=1)
    rng = np.random.default_rng(0)
    for name, weight in net.weights().items():
        pairs = rng.random((2, *weight.shape[1:])) < 0.5
        net.set_masks({name: np.repeat(pairs, 2, axis=0)[: len(weight)]})
    block = (2, 1) if form == "bsr" else None
    sparse = net.copy()
    for name, kind in (("conv", SparseConv2d), ("fc", SparseLinear)):
        layer = kind.from_dense(sparse.layers()[name], form, block)
        sparse.root.children[name] = layer
    needs = ["weight", "grad", "fisher_diag", "gram", "activation_grad", "hess_diag"]
    dense = collect(net, (IMAGES, LABELS), needs)
    found = collect(sparse, (IMAGES, LABELS), needs)
    for name, evidence in dense.items():
        for need in needs:
            assert_allclose(found[name][need], evidence[need], rtol=1e-12, atol=1e-15)


def test_recurrent_weights_have_gradients_by_example_one_at_a_time():
    root = nn.Sequential({"gru": nn.GRU(2, 3, last=True), "fc": nn.Linear(3, 2)})
    net = nn.Network(root, (2, 4), seed=0)
    x, y = np.random.default_rng(0).normal(size=(5, 2, 4)), np.arange(5) % 2
    source = data.Split(x, y, np.array([1, 4, 2, 3, 4]))
    found = collect(net, source, ["grad", "fisher_diag"], batch=1)
    whole = collect(net, source, ["grad"], batch=5)
    for name, evidence in whole.items():
        assert_allclose(found[name]["grad"], evidence["grad"], rtol=1e-11, atol=1e-15)
    with pytest.raises(ValueError, match="call with batch=1"):
        collect(net, source, ["fisher_diag"], batch=2)
    for need in ("gram", "kfac_g", "loss_change"):
        message = rf"{need} of gru\.weight_ih_l0 is not defined; GRU is neither"
        with pytest.raises(ValueError, match=message):
            collect(net, source, [need])


def test_evaluation_mode_and_the_network_left_alone():
    root = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm(3), nn.Dropout(0.9))
    net = nn.Network(root, (5,), seed=0)
    before = {name: array.copy() for name, array in net.state().items()}
    needs = [need for need in EVIDENCE if need != "next_weight"]
    first, again = (collect(net, (X, Y), needs, batch=2) for _ in range(2))
    assert_array_equal(first["0.weight"]["grad"], again["0.weight"]["grad"])
    for name, array in net.state().items():
        assert_array_equal(array, before[name])
    assert not net.gradients()


def test_memory_does_not_grow_with_the_examples():
    needs = ["fisher_diag", "gram", "kfac_g", "hess_diag", "hessian_grad"]
    rng, peaks = np.random.default_rng(0), []
    x, y = rng.normal(size=(640, 2, 4, 4)), rng.integers(3, size=640)
    for examples in (32, 640):
        tracemalloc.start()
        collect(conv_network(), (x, y), needs, examples=examples, batch=32)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_examples_are_drawn_by_the_seed_and_none_means_all():
    net = network()

    def grad(**options):
        return collect(net, (X, Y), ["grad_by_example"], **options)["a.weight"][
            "grad_by_example"
        ]

    assert_array_equal(grad(examples=4, seed=1), grad(examples=4, seed=1))
    assert (grad(examples=4, seed=1) != grad(examples=4, seed=2)).any()
    assert len(grad(examples=4)) == 4
    assert len(grad(examples=99)) == len(grad()) == 7


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (((X, Y), ["gard"]), {}, "no evidence 'gard'; did you mean 'grad'"),
        ((None, ["weight", "grad"]), {}, "grad cannot be had without data"),
        (((X, Y), ["bn_scale"]), {}, "no layer has bn_scale; bn_ evidence needs"),
        (((X, Y[:3]), ["grad"]), {}, "7 samples came with 3 targets"),
        (((X[:0], Y[:0]), ["grad"]), {}, "at least one sample"),
        (((X, Y), ["grad"]), {"batch": 0}, "batch is 0; expected 1 or more"),
        (((X, Y), ["grad"]), {"examples": 0}, "examples is 0"),
    ],
)
def test_what_cannot_be_collected_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        collect(network(), *arguments, **options)


def test_a_hessian_too_large_is_refused_before_it_is_begun():
    net = nn.Network(nn.Sequential(nn.Linear(5, 900)), (5,), seed=0)
    with pytest.raises(ValueError, match=r"4500 x 4500 entries; .* ask for hvp"):
        collect(net, (X, Y), ["hessian"])
    root = nn.Sequential(nn.Linear(5, 900), nn.Tanh(), nn.Linear(900, 3))
    net = nn.Network(root, (5,), seed=0)
    with pytest.raises(ValueError, match="7200 weights, since Tanh is not piecewise"):
        collect(net, (X, Y), ["hess_diag"])
