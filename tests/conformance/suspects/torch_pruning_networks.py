"""Torch-Pruning on networks: what is left should be the function without the channel.

Before a channel is taken out, all that makes it is set to zero, so that the network
computes what it would without the channel; afterwards it must compute the same.
"""


def torch_pruning_networks_concat_with_the_input():
    """A layer's channels behind those of the input: cat([x, a(x)])."""
    import torch

    net = network(
        lambda s, x: s.head(torch.cat([x, s.a(x)], 1)), linear(3, 4), linear(7, 2)
    )
    ask(net, vector())


def torch_pruning_networks_permute_then_flatten():
    """Channels last, then flattened: a linear layer reads place by place."""
    net = network(
        lambda s, x: s.head(s.a(x).permute(0, 2, 3, 1).flatten(1)),
        conv(3, 4),
        linear(64, 2),
    )
    ask(net, image())


def torch_pruning_networks_channels_in_another_order():
    """flip, roll, a slice, a pad: the channel is read at another place."""
    import torch

    ways = {
        "flip": lambda y: y.flip(1),
        "roll": lambda y: y.roll(1, 1),
        "slice": lambda y: torch.cat([y[:, :2], y[:, 2:]], 1),
        "pad": lambda y: torch.nn.functional.pad(y, (1, 0))[:, :4],
    }
    for name, way in ways.items():
        net = network(
            lambda s, x, way=way: s.head(way(s.a(x)).relu()), linear(3, 4), linear(4, 2)
        )
        ask(net, vector(), name)


def torch_pruning_networks_chunks():
    """Two halves of the channels, put together again."""
    import torch

    net = network(
        lambda s, x: s.head(torch.cat(s.a(x).chunk(2, 1), 1)),
        linear(3, 4),
        linear(4, 2),
    )
    ask(net, vector())


def torch_pruning_networks_depth_multiplier():
    """A convolution of four groups with two outputs each, and what it reads."""
    net = network(
        lambda s, x: s.head(s.b(s.a(x)).mean((2, 3))),
        conv(3, 4),
        linear(8, 2),
        b=conv(4, 8, groups=4),
    )
    ask(net, image())


def torch_pruning_networks_grouped_transposed_convolution():
    """The same place of both groups that a transposed convolution reads."""
    import torch

    net = network(
        lambda s, x: s.head(s.b(s.a(x)).mean((2, 3))),
        conv(3, 4),
        linear(6, 2),
        b=torch.nn.ConvTranspose2d(4, 6, 2, 2, groups=2),
    )
    ask(net, image(), channels=(0, 2))


def torch_pruning_networks_gate_of_one_channel():
    """A map of one channel that weights all channels."""
    net = network(
        lambda s, x: s.head((s.a(x) * s.b(s.a(x))).mean((2, 3))),
        conv(3, 4),
        linear(4, 2),
        b=conv(4, 1),
    )
    ask(net, image())


def network(function, a, head, **more):
    """A module that computes a function of itself and its input."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, layer in {"a": a, "head": head, **more}.items():
                setattr(self, name, layer)

        def forward(self, x):
            return function(self, x)

    return Net().eval()


def linear(into, out):
    import torch

    return torch.nn.Linear(into, out)


def conv(into, out, **how):
    import torch

    return torch.nn.Conv2d(into, out, 3, padding=1, **how)


def vector():
    import torch

    return torch.randn(5, 3)


def image():
    import torch

    return torch.randn(5, 3, 4, 4)


def ask(net, x, name="", channels=(1,)):
    """Take channels of the first layer out, and say what came of it."""
    import torch
    import torch_pruning as tp

    said = f"{name}: " if name else ""
    try:
        graph = tp.DependencyGraph().build_dependency(net, x)
        function = graph.get_pruner_of_module(net.a).prune_out_channels
        group = graph.get_pruning_group(net.a, function, list(channels))
        with torch.no_grad():
            for dependency, gone in group:
                layer = dependency.target.module
                if graph.is_out_channel_pruning_fn(dependency.handler):
                    for parameter in layer.parameters():
                        parameter[gone] = 0
            want = net(x)
            group.prune()
            off = float((net(x) - want).abs().max() / want.abs().max())
        right = off < 1e-5
        print(f"{said}{'the same function' if right else 'ANOTHER FUNCTION, silently'}")
    except (RuntimeError, IndexError) as why:
        print(f"{said}{type(why).__name__}: {why}")
