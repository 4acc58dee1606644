"""SparseML."""

import io
import os
import tempfile


def sparseml_blocks_are_runs():
    """Blocks of 2 x 2 whose left one is the lowest."""
    weight = [[1.0, 1.0, 9.0, 9.0], [1.0, 1.0, 9.0, 9.0]]
    print(created("Block", [weight], 0.5, [2, 2])[0])


def sparseml_blocks_take_the_first_shape():
    """Whole columns, which -1 asks for, of two layers: 4 rows, then 2."""
    tall = [[1.0, 5.0], [2.0, 6.0], [3.0, 9.0], [1.0, 2.0]]
    for weights in ([tall[:2], tall], [tall, tall[:2]]):
        try:
            print(created("Block", weights, 0.5, [-1, 1]))
        except ValueError as why:
            print(f"ValueError: {why}")


def sparseml_groups_cross_rows():
    """2 of 4 in rows of six, which 4 does not divide."""
    weight = [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [7.0, 8.0, 9.0, 10.0, 11.0, 12.0]]
    print(created("NMPruning", [weight], 0.5, 2, 4)[0])


def sparseml_groups_of_a_convolution():
    """SD-12: the mask of a weight of 1 x 4 x 1 x 2."""
    alone()
    import torch
    from sparseml.pytorch.sparsification.pruning import NMPruningMaskCreator

    weight = torch.rand(1, 4, 1, 2)
    (mask,) = NMPruningMaskCreator(2, 4).create_sparsity_masks([weight], 0.5)
    print(f"shape {tuple(mask.shape)}")


def sparseml_largest_of_a_filter():
    """Filters scored by their largest weight, as documented."""
    try:
        print(
            created(
                "StructuredPruning", [[[1.0, 2.0], [3.0, 4.0]]], 0.5, "filter", "max"
            )
        )
    except TypeError as why:
        print(f"TypeError: {str(why).splitlines()[0]}")


def sparseml_erk_is_clipped():
    """SD-13: half of four layers."""
    alone()
    import torch
    from sparseml.pytorch.sparsification.pruning import RigLPruningParamsScorer

    shapes = (64, 3, 3, 3), (64, 64, 3, 3), (128, 64, 3, 3), (10, 128)
    weights = [torch.nn.Parameter(torch.rand(shape)) for shape in shapes]
    levels = RigLPruningParamsScorer(weights, 0.5).get_sparsity_distribution()
    gone = sum(float(s) * w.numel() for s, w in zip(levels, weights, strict=True))
    print(f"sparsity {gone / sum(w.numel() for w in weights):.4f}")


def sparseml_polynomial_decay():
    """SD-14: to 0.4 in four steps, with the exponent that is the default."""
    alone()
    from types import SimpleNamespace

    from sparseml.modifiers.pruning import helpers

    frame = helpers.PruningCreateSettings(0, 4, 1, 0.0, 0.4, {})
    schedule = helpers.polynomial_decay_scheduler(frame)
    steps = [SimpleNamespace(current_index=step) for step in range(5)]
    print([round(schedule(step, None), 4) for step in steps])


def sparseml_weights_without_a_scorer():
    """Documented to mask the absolute smallest values: a quarter of -5, 1, 2, 3."""
    found = holder([[-5.0, 1.0, 2.0, 3.0]])
    found.update_param_masks(0.25)
    print([mask.int().tolist() for mask in found.param_masks])


def sparseml_unmasked_weights():
    """The values before masking, which it was asked to store."""
    found = holder([[1.0, 2.0]], store_unmasked=True)
    found.enabled = True
    found.update_param_masks(0.5)
    try:
        print(found.params_unmasked)
    except AttributeError as why:
        print(f"AttributeError: {why}")


def sparseml_adam_keeps_its_second_moment():
    """RigL resets the state of removed weights: one removed, one kept."""
    alone()
    import torch
    from sparseml.pytorch.sparsification.pruning import RigLPruningModifier

    weight = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
    optimizer = torch.optim.Adam([weight], lr=0.0)
    weight.grad = torch.ones(2)
    optimizer.step()
    weight.data[0] = 0.0
    RigLPruningModifier._reset_momentum_buffer(optimizer)
    state = optimizer.state[weight]
    print({name: state[name].tolist() for name in ("exp_avg", "exp_avg_sq")})


def sparseml_a_bias_ties_neighbors():
    """Which layers must lose the same filters, of two convolutions in a row."""
    for bias in (False, True):
        print(f"bias={bias}: {groups(*convolutions(bias))}")


def sparseml_concatenated_ways_are_tied():
    """The same of a convolution behind ways of 4 and of 5 filters, side by side."""
    alone()
    import torch

    class Ways(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = torch.nn.Conv2d(2, 4, 1), torch.nn.Conv2d(2, 5, 1)

        def forward(self, x):
            return torch.cat([self.a(x), self.b(x)], 1)

    print(groups(Ways(), torch.nn.Conv2d(9, 3, 1, bias=False)))


def sparseml_thinning_by_a_right_map():
    """Two filters of six taken out, with biases, if the map is written by hand."""
    alone()
    import torch
    from sparseml.pytorch.sparsification import modifier_thinning

    net = torch.nn.Sequential(*convolutions(True))
    with torch.no_grad():
        net[0].weight[[0, 3]] = 0
        net[0].bias[[0, 3]] = 0
    x = torch.rand(3, 2, 4, 4)
    want = net(x)
    tied = {"0.weight": ["0.bias", "1.weight"]}
    modifier_thinning.compress_strucure_pruned_module(net, tied, "filter")
    off = float((net(x) - want).abs().max())
    print(f"{len(net[0].weight)} filters, the same outputs: {off < 1e-5}")


def alone():
    """Let SparseML report nothing home, and write no logs here."""
    os.environ["NM_DISABLE_ANALYTICS"] = os.environ["NM_TEST_MODE"] = "true"
    os.environ["NM_TEST_LOG_DIR"] = tempfile.gettempdir()


def convolutions(bias):
    """From 2 to 6 channels, and on to 4."""
    alone()
    import torch

    return torch.nn.Conv2d(2, 6, 1, bias=bias), torch.nn.Conv2d(6, 4, 1, bias=bias)


def groups(*layers):
    """For each group of tied weights, what is to follow them."""
    alone()
    import onnx
    import torch
    from sparseml.onnx import optim

    file = io.BytesIO()
    torch.onnx.export(
        torch.nn.Sequential(*layers),
        (torch.rand(1, 2, 4, 4),),
        file,
        dynamo=False,
    )
    graph = onnx.load_model_from_string(file.getvalue())
    found = optim.get_param_structured_pruning_group_dependencies(graph, "filter")
    return {group: sorted(behind) for group, behind in found.items()}


def created(name, weights, sparsity, *how):
    """The masks that a creator makes."""
    alone()
    import torch
    from sparseml.pytorch.sparsification import pruning
    from sparseml.pytorch.sparsification.pruning import modifier_pruning_structured

    kind = f"{name}MaskCreator"
    creator = getattr(pruning, kind, None) or getattr(modifier_pruning_structured, kind)
    given = [torch.tensor(weight) for weight in weights]
    found = creator(*how).create_sparsity_masks(given, sparsity)
    return [mask.int().tolist() for mask in found]


def holder(weight, **how):
    """Masks over a layer, without a scorer."""
    alone()
    import torch
    from sparseml.pytorch.sparsification import pruning

    layer = torch.nn.Module()
    layer.weight = torch.nn.Parameter(torch.tensor(weight))
    creator = pruning.UnstructuredPruningMaskCreator()
    return pruning.ModuleParamPruningMask([layer], creator, scorer=None, **how)
