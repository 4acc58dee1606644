"""Layers of PyTorch that several files ask about."""


def linear(weight):
    """A Sequential of one linear layer."""
    import torch

    weight = torch.tensor(weight)
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight.data = weight
    return torch.nn.Sequential(layer)
