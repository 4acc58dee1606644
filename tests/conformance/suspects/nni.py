"""NNI 3."""

from tests.conformance.suspects._layers import linear

LOW, HIGH = [[0.01, 0.02, 0.03, 0.04]], [[1.0, 2.0, 3.0, 4.0]]


def nni_channels_of_unequal_size_compete():
    """One row of 4 weights and 4 rows of one, globally, at 0.25: 2 of 8 are to go."""
    wide, tall = [[5.0, 5.0, 5.0, 5.0]], [[30.0], [31.0], [32.0], [33.0]]
    for first, second in ((tall, wide), (wide, tall)):
        found = masks({"a": first, "b": second}, 0.25, "L1Norm", global_group_id="all")
        gone = sum(row.count(0) for mask in found.values() for row in mask)
        print(f"{len(first)} rows before {len(second)}: {gone} of 8 removed, {found}")


def nni_limits_of_a_layer_in_global_mode():
    """max_sparse_ratio 0.75, then min_sparse_ratio 0.25, of each layer."""
    for limit in ({"max_sparse_ratio": 0.75}, {"min_sparse_ratio": 0.25}):
        found = masks({"a": LOW, "b": HIGH}, 0.5, global_group_id="all", **limit)
        print(limit, found)


def nni_everything_is_nothing():
    """SD-08: a ratio of 1, globally and by layer."""
    print("global", masks({"a": LOW, "b": HIGH}, 1.0, global_group_id="all"))
    print("layer", masks({"a": LOW, "b": HIGH}, 1.0))


def nni_threshold_with_dependency():
    """SD-08: layers with a threshold come back where a ratio is expected."""
    how = {"sparse_threshold": 1.0, "dependency_group_id": "both"}
    try:
        print(masks({"a": LOW, "b": HIGH}, None, "L1Norm", **how))
    except AssertionError as why:
        print(f"AssertionError {why}")


def nni_speedup():
    """Two layers whose hidden units are halved, really taken out."""
    import torch
    from nni.compression.pruning import L1NormPruner
    from nni.compression.speedup import ModelSpeedup

    layers = torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)
    model = torch.nn.Sequential(*layers)
    pruner = L1NormPruner(model, [{"op_names": ["0"], "sparse_ratio": 0.5}])
    _, found = pruner.compress()
    pruner.unwrap_model()
    try:
        print(ModelSpeedup(model, torch.ones(2, 3), found).speedup_model())
    except AttributeError as why:
        print(f"AttributeError: {why}")


def nni_masks_come_from_weights_that_are_not_masked():
    """Half of four weights, twice; between the two the first half has grown."""
    import torch
    from nni.compression.pruning import LevelPruner

    model = linear(HIGH)
    pruner = LevelPruner(model, [{"op_names": ["0"], "sparse_ratio": 0.5}])
    for _ in range(2):
        _, found = pruner.compress()
        print(found["0"]["weight"].int().tolist())
        weight = pruner._target_spaces["0"]["weight"].target
        weight.data = torch.tensor([[9.0, 8.0, 3.0, 4.0]])


def nni_fused_metrics_are_left_alone():
    """SD-22: the first of two metrics, after both were fused."""
    import torch
    from nni.compression.pruning.tools.sparse_gen import _metric_fuse

    metrics = {name: {"weight": torch.tensor([1.0, 3.0])} for name in "ab"}
    _metric_fuse(metrics)
    print(metrics["a"]["weight"].tolist())


def masks(weights, ratio, method="Level", **how):
    """Masks of layers beside each other, by name."""
    import torch
    from nni.compression import pruning

    layers = {name: linear(weight)[0] for name, weight in weights.items()}
    config = {"op_types": ["Linear"], **how}
    if ratio is not None:
        config["sparse_ratio"] = ratio
    pruner = getattr(pruning, f"{method}Pruner")(torch.nn.ModuleDict(layers), [config])
    pruner.compress()
    found = pruner.get_masks()
    return {name: found[name]["weight"].int().tolist() for name in weights}
