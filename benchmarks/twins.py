"""The same layers and networks in PyTorch and ONNX, on the same weights."""

from importlib.util import find_spec


def torch_layers(torch, net):
    """The same layers in PyTorch."""
    made = {
        "Linear": lambda a: torch.nn.Linear(a["in_features"], a["out_features"]),
        "Conv2d": lambda a: torch.nn.Conv2d(
            a["in_channels"], a["out_channels"], a["kernel_size"], padding=1
        ),
        "MaxPool2d": lambda a: torch.nn.MaxPool2d(a["kernel_size"]),
        "ReLU": lambda a: torch.nn.ReLU(),
        "Flatten": lambda a: torch.nn.Flatten(),
    }
    layers = []
    for layer in net.root.children.values():
        twin = made[layer.kind](layer.arguments())
        with torch.no_grad():
            for name, param in layer.params.items():
                getattr(twin, name).copy_(torch.from_numpy(param))
        layers.append(twin)
    return torch.nn.Sequential(*layers)


def torch_network(torch, net, x):
    """A forward pass of PyTorch."""
    model, given = torch_layers(torch, net).eval(), torch.from_numpy(x)
    return lambda: model(given)


def torch_step(torch, net, x, labels):
    """An eager step of PyTorch on the same weights, dense, and its first loss."""
    model = torch_layers(torch, net)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    loss = torch.nn.CrossEntropyLoss()
    given, target = torch.from_numpy(x), torch.from_numpy(labels)

    def call():
        optimizer.zero_grad(set_to_none=True)
        value = loss(model(given), target)
        value.backward()
        optimizer.step()
        return value.detach()

    with torch.no_grad():
        first = float(loss(model(given), target))
    return call, first


def onnx_network(net):
    """A model of the small network, or None without onnx."""
    if find_spec("onnx") is None:
        return None
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, last = [], [], "x"
    for name, layer in net.root.children.items():
        inputs, options = [last], {}
        for key, param in layer.params.items():
            weights.append(numpy_helper.from_array(param, f"{name}.{key}"))
            inputs.append(f"{name}.{key}")
        if layer.kind == "Conv2d":
            options = {"pads": [1, 1, 1, 1]}
        elif layer.kind == "MaxPool2d":
            options = {"kernel_shape": [2, 2], "strides": [2, 2]}
        elif layer.kind == "Linear":
            options = {"transB": 1}
        kind = {
            "Conv2d": "Conv",
            "MaxPool2d": "MaxPool",
            "Linear": "Gemm",
            "ReLU": "Relu",
        }
        last = f"y{name}"
        node = helper.make_node(
            kind.get(layer.kind, layer.kind), inputs, [last], **options
        )
        nodes.append(node)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *shape])
        for name, shape in (("x", net.input_shape), (last, net.output_shape))
    ]
    graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], weights)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    return model.SerializeToString()


def onnx_conv(weight, shape):
    """A model of one convolution, or None without onnx."""
    if find_spec("onnx") is None:
        return None
    from onnx import TensorProto, helper, numpy_helper

    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    out = [shape[0], weight.shape[0], *shape[2:]]
    graph = helper.make_graph(
        [node],
        "conv",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)],
        [numpy_helper.from_array(weight, "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(
        graph, opset_imports=opset, ir_version=8
    ).SerializeToString()


def no_grad(torch, call):
    """The call without recording gradients."""

    def quiet():
        with torch.no_grad():
            return call()

    return quiet
