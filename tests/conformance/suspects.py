"""Suspected defects of toolkits, executed: what the checks of the kit cannot express.

Run by the interpreter of a toolkit, from the root of the repository::

    PYTHON tests/conformance/suspects.py torch_pruning

Each function is one suspicion and prints what happened beside what was expected;
docs/conformance.md has the answers. Toolkits are imported where they are used.
"""

import logging
import sys
import warnings


def torch_ao_loading_empties_what_was_saved():
    """A second reader of one state dict, and the writer itself, lose the masks."""
    from torch.ao.pruning import WeightNormSparsifier

    def prepared():
        model = linear([[1.0, 2.0, 3.0, 4.0]])
        sparsifier = WeightNormSparsifier(0.5, sparse_block_shape=(1, 1))
        sparsifier.prepare(model, [{"tensor_fqn": "0.weight"}])
        return model, sparsifier

    def zeros(model):
        return int((model[0].parametrizations.weight[0].mask == 0).sum())

    (model, first), (one, second), (two, third) = (prepared() for _ in range(3))
    first.step()
    state = first.state_dict()
    second.load_state_dict(state)
    third.load_state_dict(state)
    print(f"removed: saved {zeros(model)}, read {zeros(one)}, again {zeros(two)}")
    print(f"the writer's own state has the mask: {'mask' in first.state['0.weight']}")
    try:
        two.load_state_dict(model.state_dict())
        print("the model's state dict loads")
    except RuntimeError as why:
        print("the model's own state dict does not load:", str(why).split("\t")[-1])


def torch_ao_cubic_moves_between_its_updates():
    """delta_t is documented as the pruning frequency."""
    from torch.ao.pruning import CubicSL, WeightNormSparsifier

    sparsifier = WeightNormSparsifier(0.5)
    sparsifier.prepare(linear([[1.0, 2.0]]), [{"tensor_fqn": "0.weight"}])
    schedule = CubicSL(sparsifier, init_t=0, delta_t=5, total_t=4, initially_zero=True)
    levels = []
    for _ in range(6):
        levels.append(round(sparsifier.groups[0]["sparsity_level"], 4))
        sparsifier.step()
        schedule.step()
    print(f"steps 0 to 5, an update every 5: {levels}")


def torchao_wanda_squares_the_norm():
    """|w| ||x||: 1 * 4 is below 3 * 2, so the first weight goes."""
    mask, norm = wanda([[1.0, 3.0]], [[4.0, 2.0]], 0.5)
    print(f"norms of (4, 2) are {norm}, mask {mask}, by the paper [[0, 1]]")


def torchao_wanda_ranks_the_layer_not_the_row():
    """The paper compares within each output."""
    mask, _ = wanda([[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0]], 0.5)
    print(f"mask {mask}, by the paper [[0, 1], [0, 1]]")


def torchao_wanda_steps_add_up():
    """A second step at the same sparsity, after training moved the weights."""
    import torch

    model, sparsifier = wanda_prepared([[1.0, 2.0, 3.0, 4.0]], 0.5)
    model(torch.ones(1, 4))
    sparsifier.step()
    parts = model[0].parametrizations.weight
    parts.original.data = torch.tensor([[9.0, 8.0, 1.0, 2.0]])
    sparsifier.step()
    print(f"half of 4, twice: {int((parts[0].mask == 0).sum())} removed")


def nncf_prunes_no_sequential():
    """A plain Sequential."""
    import nncf
    import torch

    try:
        nncf.prune(
            linear([[1.0, 2.0]]),
            nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_LOCAL,
            ratio=0.5,
            examples_inputs=(torch.ones(1, 2),),
        )
        print("pruned")
    except Exception as why:  # what it raises is what is asked
        print(f"{type(why).__name__}: {str(why)[:80]}")


def nncf_zero_tensor_in_global_mode():
    """SD-15: |w| / ||w|| of a layer of zeros, beside a layer of ones and twos."""
    import nncf

    mode = nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_GLOBAL
    print(masks_of_nncf({"zero": [[0.0, 0.0]], "other": [[1.0, 2.0]]}, mode, 0.5))


def nncf_ratio_zero_and_equal_weights():
    """SD-15: nothing is to go, then a quarter of four equal weights."""
    import nncf

    mode = nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_LOCAL
    print(masks_of_nncf({"w": [[1.0, 2.0, 3.0, 4.0]]}, mode, 0.0))
    print(masks_of_nncf({"w": [[1.0, 1.0, 1.0, 1.0]]}, mode, 0.25))


def nncf_schedule_clamps_by_the_epoch():
    """SD-15: min(max(initial, ratio), target_epoch) should never exceed the target."""
    from nncf.torch.function_hook.pruning.scheduler_fns import (
        exponential_ratio_scheduler as schedule,
    )

    values = [
        schedule(epoch, initial_ratio=0.1, target_ratio=0.9, target_epoch=last)
        for last in (1, 2, 5)
        for epoch in range(7)
    ]
    print(f"largest ratio over epochs: {max(values)}")


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


# Small networks of each toolkit.


def linear(weight):
    """A Sequential of one linear layer."""
    import torch

    weight = torch.tensor(weight)
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight.data = weight
    return torch.nn.Sequential(layer)


def wanda_prepared(weight, sparsity):
    """A layer and its sparsifier."""
    from torchao.sparsity import WandaSparsifier

    model, sparsifier = linear(weight), WandaSparsifier(sparsity_level=sparsity)
    sparsifier.prepare(model, [{"tensor_fqn": "0.weight"}])
    return model, sparsifier


def wanda(weight, x, sparsity):
    """The mask after one batch and one step, and the norms observed."""
    import torch

    model, sparsifier = wanda_prepared(weight, sparsity)
    model(torch.tensor(x))
    norm = model[0].activation_post_process.norm.tolist()
    sparsifier.step()
    return model[0].parametrizations.weight[0].mask.int().tolist(), norm


def masks_of_nncf(weights, mode, ratio):
    """Masks after `nncf.prune` of layers beside each other."""
    import nncf
    import torch
    from nncf.torch.function_hook.pruning.magnitude.algo import get_pruned_modules

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            layers = {name: linear(weight)[0] for name, weight in weights.items()}
            self.layers = torch.nn.ModuleDict(layers)

        def forward(self, x):
            return torch.cat([layer(x) for layer in self.layers.values()], 1)

    width = len(next(iter(weights.values()))[0])
    example = (torch.ones(1, width),)
    net = nncf.prune(Net(), mode, ratio=ratio, examples_inputs=example)
    found = get_pruned_modules(net)
    return {name: hook.binary_mask.int().tolist() for name, hook in found.items()}


def group(model, x=None, function=None, channels=None):
    """All outputs of the first layer as a group of Torch-Pruning."""
    import torch
    import torch_pruning as tp

    x = torch.ones(1, model[0].in_features) if x is None else x
    function = function or tp.prune_linear_out_channels
    graph = tp.DependencyGraph().build_dependency(model, x)
    channels = channels or model[0].out_features
    return graph.get_pruning_group(model[0], function, list(range(channels)))


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of deprecated quantization
    logging.disable(logging.WARNING)
    for name, ask in sorted(globals().items()):
        if name.startswith(f"{sys.argv[1]}_"):
            print(f"{name}: {ask.__doc__}")
            ask()
            print()
