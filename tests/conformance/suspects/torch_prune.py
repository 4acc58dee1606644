"""torch.nn.utils.prune."""

from tests.conformance.suspects._layers import linear


def torch_prune_shared_parameters():
    """Two layers that are one weight of 1, 2, 3, 4: one weight is to go."""
    from torch.nn.utils import prune

    one, other = (linear([[1.0, 2.0, 3.0, 4.0]])[0] for _ in range(2))
    other.weight = one.weight
    layers = [(one, "weight"), (other, "weight")]
    prune.global_unstructured(layers, prune.L1Unstructured, amount=1)
    print(f"the layers are {one.weight.tolist()} and {other.weight.tolist()}")


def torch_prune_deepcopy():
    """A copy of a pruned layer."""
    import copy

    from torch.nn.utils import prune

    layer = prune.l1_unstructured(linear([[1.0, 2.0]])[0], "weight", 1)
    try:
        copy.deepcopy(layer)
        print("copied")
    except RuntimeError as why:
        print(f"RuntimeError: {str(why).partition('.')[0]}")


def torch_prune_removal_reorders_parameters():
    """prune.remove makes a pruning permanent; optimizers know parameters by place."""
    import torch
    from torch.nn.utils import prune

    layer = torch.nn.Linear(2, 2)
    before = [name for name, _ in layer.named_parameters()]
    prune.l1_unstructured(layer, "weight", 1)
    prune.remove(layer, "weight")
    print(f"{before}, then {[name for name, _ in layer.named_parameters()]}")


def torch_prune_weight_after_loading():
    """A state dict of 0, 2 is loaded into a pruned layer of 0, 9."""
    import torch
    from torch.nn.utils import prune

    saved = prune.l1_unstructured(linear([[1.0, 2.0]])[0], "weight", 1)
    layer = prune.l1_unstructured(linear([[8.0, 9.0]])[0], "weight", 1)
    layer.load_state_dict(saved.state_dict())
    print(f"loaded: {layer.weight.tolist()}, after a pass: ", end="")
    layer(torch.ones(1, 2))
    print(layer.weight.tolist())


def torch_prune_bias_of_a_removed_row():
    """Rows 1, 2 and 3, 4 with biases of 5, inputs 1; one row is to go."""
    import torch
    from torch.nn.utils import prune

    layer = torch.nn.Linear(2, 2)
    layer.weight.data = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    layer.bias.data.fill_(5.0)
    prune.ln_structured(layer, "weight", amount=1, n=2, dim=0)
    print(f"outputs {layer(torch.ones(1, 2)).tolist()}")
