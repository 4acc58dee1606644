"""Networks as they are written down, as modules of PyTorch and back."""

from __future__ import annotations

from typing import Any

import torch

from minprune.conformance.toolkits import _torch, _written


class Residual(torch.nn.Module):
    """What the children make of the input, and the input."""

    def __init__(self, parts: list[Any]) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(*parts)

    def forward(self, x: Any) -> Any:
        """The sum."""
        return x + self.body(x)


class Concat(torch.nn.Module):
    """What each child makes of the input, side by side."""

    def __init__(self, parts: list[Any]) -> None:
        super().__init__()
        self.ways = torch.nn.ModuleList(parts)

    def forward(self, x: Any) -> Any:
        """The ways, stacked."""
        return torch.cat([way(x) for way in self.ways], dim=1)


class Average(torch.nn.Module):
    """The mean over the places."""

    def forward(self, x: Any) -> Any:
        """(N, C, H, W) -> (N, C)."""
        return x.mean((2, 3))


def module(net: Any, layers: dict[str, Any]) -> Any:
    """The network as a module in evaluation mode; its layers are put into `layers`."""
    if "children" in net:
        parts = [module(child, layers) for child in net["children"]]
        kinds = {"residual": Residual, "concat": Concat}
        if net["kind"] in kinds:
            return kinds[net["kind"]](parts)
        return torch.nn.Sequential(*parts)
    if net["name"] not in layers:
        layer = _leaf(net)
        state = {n: _torch.tensor(a) for n, a in _written.arrays(net).items()}
        layer.load_state_dict(state, strict=False)  # batch norms count batches, too
        layers[net["name"]] = layer.eval()
    return layers[net["name"]]


def _leaf(net: Any) -> Any:
    """One layer, its arrays still to be filled."""
    kind, weight = net["kind"], net.get("weight")
    if kind == "conv":
        out, into, *window = weight.shape
        groups, half = net["groups"], [side // 2 for side in window]
        return torch.nn.Conv2d(into * groups, out, window, padding=half, groups=groups)
    if kind == "linear":
        return torch.nn.Linear(weight.shape[1], len(weight))
    if kind == "batch_norm":
        return torch.nn.BatchNorm2d(len(net["scale"]))
    plain = {"relu": torch.nn.ReLU, "average": Average, "flatten": torch.nn.Flatten}
    return plain[kind]()


def written(net: Any, layers: dict[str, Any]) -> Any:
    """The network again, with the arrays that the layers have now."""
    found = {
        name: {
            key: _torch.array(value)
            for key, value in layer.state_dict().items()
            if value.ndim
        }
        for name, layer in layers.items()
    }
    return _written.rewritten(net, found)
