"""NNCF."""

from tests.conformance.suspects._layers import linear


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
    found = sorted(get_pruned_modules(net).items())
    return {name: hook.binary_mask.int().tolist() for name, hook in found}
