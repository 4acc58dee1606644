"""Torch-Pruning."""

from itertools import pairwise

from tests.conformance.suspects._layers import linear


def torch_pruning_hessian_keeps_the_last_gradient():
    """SD-01: weights 1 and gradients 1, 2, 3, whose mean of squares is 14/3."""
    import torch
    import torch_pruning as tp

    model = linear([[1.0], [1.0]])
    importance = tp.importance.GroupHessianImportance("first", None)
    for value in (1.0, 2.0, 3.0):
        model[0].weight.grad = torch.full((2, 1), value)
        importance.accumulate_grad(model)
    print(f"{importance(group(model)).tolist()}, expected {[14 / 3] * 2}")


def torch_pruning_taylor_knows_no_batch_norm():
    """SD-02: batch norm as the only target; and a bias without gradient for Hessian."""
    import torch
    import torch_pruning as tp

    norm = torch.nn.BatchNorm2d(3)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 1, bias=False), norm)
    x = torch.ones(4, 1, 2, 2).cumsum(0)
    model(x).pow(2).sum().backward()
    found = group(model, x, tp.prune_conv_out_channels, 3)
    taylor = tp.importance.GroupTaylorImportance(target_types=[type(norm)])
    print(f"Taylor of batch norm: {taylor(found)}")
    norm.bias.grad = None
    try:
        tp.importance.GroupHessianImportance(bias=True)(found)
        print("Hessian with a bias without gradient: passed over")
    except AttributeError as why:
        print(f"Hessian with a bias without gradient: {why}")


def torch_pruning_lstm():
    """SD-03: one of 4 hidden units of an LSTM with 2 inputs."""
    import torch
    from torch_pruning.pruner.function import LSTMPruner

    layer = torch.nn.LSTM(2, 4, batch_first=True)
    try:
        LSTMPruner().prune_out_channels(layer, [3])
        shapes = {name: tuple(p.shape) for name, p in layer.named_parameters()}
        print(f"hidden {layer.hidden_size}: {shapes}")
    except (RuntimeError, IndexError) as why:
        print(f"{type(why).__name__}: {why}")


def torch_pruning_fpgm_loses_signs():
    """SD-04: filters w and -w lie 2 ||w|| apart; distances are of |w|^p."""
    import torch
    import torch_pruning as tp

    model = linear([[1.0, 2.0], [-1.0, -2.0], [3.0, 0.0]])
    importance = tp.importance.FPGMImportance(group_reduction="first", normalizer=None)
    got, w = importance(group(model)).tolist(), model[0].weight
    print(f"{got}, sums of distances are {torch.cdist(w, w).sum(1).tolist()}")


def torch_pruning_manual_width_is_what_stays():
    """SD-05: a "pruning ratio" of 0.3 for 10 channels."""
    import torch
    import torch_pruning as tp

    model = torch.nn.Sequential(torch.nn.Linear(3, 10), torch.nn.Linear(10, 2))
    importance = tp.importance.GroupMagnitudeImportance(p=1)
    pruner = tp.pruner.BasePruner(model, torch.ones(1, 3), importance)
    pruner.manual_prune_width(model[0], tp.prune_linear_out_channels, 0.3)
    print(f"{10 - model[0].out_features} of 10 channels went")


def torch_pruning_zero_layer():
    """SD-26: normalizers of a layer of zeros."""
    import torch_pruning as tp

    found = group(linear([[0.0], [0.0]]))
    print("LAMP", tp.importance.LAMPImportance(group_reduction="first")(found).tolist())
    print("mean", tp.importance.GroupMagnitudeImportance()(found).tolist())


def torch_pruning_isomorphic_alone_removes_nothing():
    """Half of the channels of three equal layers, ranked with their like."""
    for how in ({}, {"isomorphic": True}, {"isomorphic": True, "global_pruning": True}):
        print(f"{how}: {pruned((4, 6, 6, 6, 2), pruning_ratio=0.5, **how)}")


def torch_pruning_rounds_down_not_to_the_nearest():
    """round_to is documented as the nearest multiple: 7 is next to 8, 3 to 4 or 2."""
    print(f"10 at 0.3, round_to 4: {pruned((4, 10, 2), pruning_ratio=0.3, round_to=4)}")
    print(f"3 at 0.5, round_to 2: {pruned((4, 3, 2), pruning_ratio=0.5, round_to=2)}")


def torch_pruning_maximum_is_ignored():
    """10 channels, ratio 0.8, max_pruning_ratio 0.5: 5 should stay."""
    few = pruned((4, 10, 2), pruning_ratio=0.8, max_pruning_ratio=0.5)
    print(f"one ratio for all: {few}")


def torch_pruning_a_last_step_removes_nothing():
    """Ratio 0.9 in three steps: 7, 4 and 1 of 10 channels should be left."""
    model = mlp((4, 10, 2))
    pruner = pruner_of(model, pruning_ratio=0.9, iterative_steps=3)
    left = []
    for _ in range(3):
        pruner.step()
        left.append(model[0].out_features)
    print(f"left after each step: {left}")


def torch_pruning_counts_a_set_of_groups_as_one_channel():
    """SD-06: a quarter of 24 channels, global; 16 are of convolutions of 4 groups."""
    import torch
    import torch_pruning as tp

    layers = [torch.nn.Conv2d(3, 8, 1), torch.nn.Conv2d(8, 8, 1, groups=4)]
    layers += [torch.nn.Conv2d(8, 8, 1), torch.nn.Conv2d(8, 2, 1)]
    for number, layer in enumerate(layers):  # every filter has a norm of its own
        size = 1 + torch.arange(len(layer.weight)) / 10 + number / 100
        layer.weight.data = torch.ones_like(layer.weight) * size.view(-1, 1, 1, 1)
    model = torch.nn.Sequential(*layers)
    pruner = tp.pruner.BasePruner(
        model,
        torch.ones(1, 3, 2, 2),
        tp.importance.GroupMagnitudeImportance(p=1),
        pruning_ratio=0.25,
        global_pruning=True,
        ignored_layers=[layers[-1]],
    )
    pruner.step()
    left = [layer.out_channels for layer in layers[:-1]]
    print(f"left {left}: {24 - sum(left)} went, expected 6")


def torch_pruning_latency_needs_a_graphics_card():
    """SD-06: measure_latency on a processor."""
    import torch
    import torch_pruning as tp

    try:
        tp.utils.benchmark.measure_latency(mlp((2, 2)), torch.ones(1, 2), repeat=1)
        print("measured")
    except RuntimeError as why:
        print(f"RuntimeError: {why}")


def torch_pruning_equal_channels_regularize_to_nan():
    """SD-26: sparse training of a group whose channels are equally important."""
    import torch
    import torch_pruning as tp

    model = mlp((3, 4, 2))
    for parameter in model.parameters():
        parameter.data.fill_(1.0)
    importance = tp.importance.GroupMagnitudeImportance()
    pruner = tp.pruner.GroupNormPruner(
        model, torch.ones(1, 3), importance, ignored_layers=[model[-1]]
    )
    model(torch.ones(1, 3)).sum().backward()
    pruner.update_regularizer()
    pruner.regularize(model)
    bad = [n for n, p in model.named_parameters() if p.grad.isnan().any()]
    print(f"gradients with NaN: {bad}")


def mlp(widths):
    """Linear layers with ReLU between them."""
    import torch

    torch.manual_seed(0)
    layers = []
    for into, out in pairwise(widths):
        layers += [torch.nn.Linear(into, out), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def pruner_of(model, **how):
    """A pruner by the sizes of weights that leaves the last layer alone."""
    import torch
    import torch_pruning as tp

    return tp.pruner.BasePruner(
        model,
        torch.ones(1, model[0].in_features),
        tp.importance.GroupMagnitudeImportance(p=1),
        ignored_layers=[model[-1]],
        **how,
    )


def pruned(widths, **how):
    """The widths that one step of a pruner leaves."""
    model = mlp(widths)
    pruner_of(model, **how).step()
    return [layer.out_features for layer in model if hasattr(layer, "out_features")]


def group(model, x=None, function=None, channels=None):
    """All outputs of the first layer as a group of Torch-Pruning."""
    import torch
    import torch_pruning as tp

    x = torch.ones(1, model[0].in_features) if x is None else x
    function = function or tp.prune_linear_out_channels
    graph = tp.DependencyGraph().build_dependency(model, x)
    channels = channels or model[0].out_features
    return graph.get_pruning_group(model[0], function, list(range(channels)))
