"""Torch-Pruning's dependency groups: given the same scores, the same channels go.

Runs where torch 2.13.0 and torch-pruning 1.6.1 are installed, which the other tests do
not need: ``pip install torch==2.13.0 torch-pruning==1.6.1``.
"""

import numpy as np
import pytest

from minprune import nn
from minprune.criteria.group import group_magnitude
from minprune.structure import choose, coupled_norms, find_spaces, remove

torch = pytest.importorskip("torch", reason="torch 2.13.0 is not installed")
tp = pytest.importorskip("torch_pruning", reason="torch-pruning 1.6.1 is not installed")


class Twin(torch.nn.Module):
    """The torch module of a tree of layers, with the names that it has here."""

    def __init__(self, layer):
        super().__init__()
        self.kind = layer.kind
        self.names = list(layer.children)
        for name, child in layer.children.items():
            self.add_module(name, twin_of(child))

    def forward(self, x):
        ways = [getattr(self, name) for name in self.names]
        if self.kind == "Concat":
            return torch.cat([way(x) for way in ways], dim=1)
        if self.kind == "Residual":
            around = x if len(ways) == 1 else ways[1](x)
            return ways[0](x) + around
        for way in ways:
            x = way(x)
        return x


class Mean(torch.nn.Module):
    """The global average pool."""

    def forward(self, x):
        return x.mean((2, 3))


def twin_of(layer):
    """One layer, without its arrays."""
    told = layer.arguments()
    if layer.kind == "Conv2d":
        (top, bottom), (left, right) = told.pop("padding")
        assert (top, left) == (bottom, right)
        return torch.nn.Conv2d(**told, padding=(top, left))
    if layer.kind == "BatchNorm":
        return torch.nn.BatchNorm2d(layer.num_features)
    simple = {
        "Linear": torch.nn.Linear,
        "ReLU": torch.nn.ReLU,
        "Flatten": torch.nn.Flatten,
        "GlobalAvgPool": Mean,
    }
    return simple[layer.kind](**told) if layer.kind in simple else Twin(layer)


def twin(net):
    """The network in torch, with the same arrays."""
    module = twin_of(net.root)
    state = {name: torch.tensor(a) for name, a in net.parameters().items()}
    for name, layer in net.layers().items():
        for key, array in layer.buffers.items():
            state[f"{name}.{key}"] = torch.tensor(array)
    missing, unexpected = module.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return module.eval()


def conv(channels, out, kernel=3, groups=1):
    return nn.Conv2d(channels, out, kernel, padding=kernel // 2, groups=groups)


def unit(channels, out, kernel=3, groups=1):
    return nn.Sequential(
        {
            "conv": conv(channels, out, kernel, groups),
            "bn": nn.BatchNorm(out),
            "relu": nn.ReLU(),
        }
    )


def ended(features, *layers):
    root = nn.Sequential(*layers, nn.GlobalAvgPool(), nn.Linear(features, 5))
    net = nn.Network(root, (3, 8, 8), seed=0)
    rng = np.random.default_rng(1)
    for layer in net.layers().values():
        if isinstance(layer, nn.BatchNorm):
            for array in (*layer.params.values(), *layer.buffers.values()):
                array[...] = rng.uniform(0.5, 1.5, array.shape)
    return net


NETS = {
    "plain": ended(12, unit(3, 8), unit(8, 16), unit(16, 12)),
    "residual": ended(8, unit(3, 8), nn.Residual(unit(8, 8)), unit(8, 8)),
    "projection": ended(
        12, unit(3, 8), nn.Residual(unit(8, 12), conv(8, 12, 1)), unit(12, 12)
    ),
    "concat": ended(14, unit(3, 8), nn.Concat(unit(8, 6), unit(8, 10)), unit(16, 14)),
    "depthwise": ended(8, unit(3, 8), unit(8, 8, groups=8), unit(8, 8, 1)),
    "flatten": nn.Network(
        nn.Sequential(
            *(conv(3, 8), nn.ReLU(), nn.Flatten(), nn.Linear(512, 12), nn.ReLU()),
            nn.Linear(12, 5),
        ),
        (3, 8, 8),
        seed=0,
    ),
    "grouped": ended(12, unit(3, 8), unit(8, 12, groups=2), unit(12, 12)),
}


@pytest.mark.parametrize("name", [name for name in NETS if name != "grouped"])
def test_the_groups_are_the_same(name):
    """What goes with channel 1 of a layer, array by array."""
    net = NETS[name]
    module, x = twin(net), torch.zeros(1, *net.input_shape)
    graph = tp.DependencyGraph().build_dependency(module, example_inputs=x)
    modules = dict(module.named_modules())
    for space in find_spaces(net).free().values():
        maker = space.makers[0]
        (own,) = [
            axis
            for axis in space.axes
            if axis.layer == maker and axis.role == "makes" and axis.array == "weight"
        ]
        unit_of_first = int(space.places(own)[1])
        layer = modules[maker]
        prune = tp.prune_linear_out_channels
        if isinstance(layer, torch.nn.Conv2d):
            prune = tp.prune_conv_out_channels
        theirs = set()
        for dependency, indices in graph.get_pruning_group(layer, prune, idxs=[1]):
            target = next(
                (k for k, m in modules.items() if m is dependency.target.module), None
            )
            if target is not None and hasattr(dependency.target.module, "weight"):
                theirs |= {(target, int(index)) for index in indices}
        ours = {
            (axis.layer, int(place))
            for axis in space.axes
            for place in np.flatnonzero(space.places(axis) == unit_of_first)
        }
        assert ours == theirs, maker


def test_in_a_grouped_convolution_one_channel_of_theirs_cannot_go_alone():
    """Its graph names one channel, which leaves 7 for 2 groups; here a unit is two."""
    net = NETS["grouped"]
    module, x = twin(net), torch.zeros(1, *net.input_shape)
    graph = tp.DependencyGraph().build_dependency(module, example_inputs=x)
    first = dict(module.named_modules())["0.conv"]
    graph.get_pruning_group(first, tp.prune_conv_out_channels, idxs=[1]).prune()
    with pytest.raises(RuntimeError):
        module(x)
    assert find_spaces(net)["0.conv"].width == 2
    smaller = remove(net, {"0.conv": [1]})
    assert np.isfinite(smaller(x.numpy())).all()


class Given(tp.importance.Importance):
    """Scores that are handed over, one for each channel of the layer a group is of."""

    def __init__(self, module, net, scores):
        names = {m: name for name, m in module.named_modules()}
        makers = {
            axis.layer: scores[space][found.places(axis)]
            for space, found in find_spaces(net).free().items()
            for axis in found.axes
            if axis.role == "makes" and axis.array == "weight"
        }
        self.of = lambda module: makers[names[module]]

    def __call__(self, group):
        root = group[0]
        return torch.tensor(self.of(root.dep.target.module)[root.idxs])


def pruned_by_them(net, importance, scope):
    """The arrays that Torch-Pruning leaves at one half, which every width divides."""
    module = twin(net)
    last = list(net.layers())[-1]
    pruner = tp.pruner.BasePruner(
        module,
        torch.zeros(1, *net.input_shape),
        importance=importance(module),
        pruning_ratio=0.5,
        global_pruning=scope == "network",
        ignored_layers=[dict(module.named_modules())[last]],
    )
    pruner.step()
    return {
        key: value.numpy()
        for key, value in module.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }


def pruned_by_us(net, scores, scope):
    """The arrays that are left here."""
    smaller = remove(net, choose(net, scores, 0.5, scope=scope).removal)
    return smaller.parameters() | {
        f"{key}.{buffer}": array
        for key, layer in smaller.layers().items()
        for buffer, array in layer.buffers.items()
    }


def assert_same(ours, theirs):
    assert {k: v.shape for k, v in ours.items()} == {
        k: v.shape for k, v in theirs.items()
    }
    for key, array in ours.items():
        np.testing.assert_array_equal(array, theirs[key])


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("scope", ["layer", "network"])
def test_the_same_scores_leave_the_same_network(name, scope):
    net, rng = NETS[name], np.random.default_rng(3)
    scores = {
        space: rng.permutation(len(found)) + rng.random()
        for space, found in find_spaces(net).free().items()
    }
    theirs = pruned_by_them(net, lambda module: Given(module, net, scores), scope)
    assert_same(pruned_by_us(net, scores, scope), theirs)


@pytest.mark.parametrize("name", [name for name in NETS if name != "grouped"])
@pytest.mark.parametrize("scope", ["layer", "network"])
def test_group_magnitude_is_theirs(name, scope):
    # Not so in grouped convolutions: there they take the mean over a unit's channels
    # for what makes it and the sum for what reads it; here both are sums.
    net = NETS[name]
    scores = {
        space: group_magnitude(rows) for space, rows in coupled_norms(net).items()
    }
    magnitude = tp.importance.GroupMagnitudeImportance(p=2, normalizer="mean")
    theirs = pruned_by_them(net, lambda module: magnitude, scope)
    assert_same(pruned_by_us(net, scores, scope), theirs)
