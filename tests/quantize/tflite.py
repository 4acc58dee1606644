"""A TensorFlow Lite model of one step, built with the schema of tflite-micro."""

import numpy as np

try:
    import flatbuffers
    from tflite_micro.python.tflite_micro import runtime
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema
except ImportError:
    runtime = None

TYPES = {np.dtype("int8"): "INT8", np.dtype("int32"): "INT32"}
ACTIVATIONS = {
    (None, None): "NONE",
    (0.0, None): "RELU",
    (0.0, 6.0): "RELU6",
}


class Model:
    """One operator from tensor 0, with constants, to the last tensor."""

    def __init__(self):
        self.tensors, self.buffers = [], [schema.BufferT()]

    def tensor(self, dtype, shape, scale, zero=0, data=None, dimension=0):
        """Append a tensor of 8-bit or 32-bit integers; returns its index."""
        tensor = schema.TensorT()
        tensor.type = getattr(schema.TensorType, TYPES[np.dtype(dtype)])
        tensor.shape, tensor.name = list(shape), f"t{len(self.tensors)}".encode()
        tensor.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.astype(dtype).tobytes(), np.uint8)
            self.buffers.append(buffer)
            tensor.buffer = len(self.buffers) - 1
        scales = np.atleast_1d(scale)
        levels = schema.QuantizationParametersT()
        levels.scale = [float(s) for s in scales]
        levels.zeroPoint = [int(zero)] * len(scales)
        levels.quantizedDimension = dimension
        tensor.quantization = levels
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def run(self, code, options, inputs, samples):
        """What the interpreter makes of int8 samples, each in the input's shape."""
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs = 0, inputs
        operator.outputs = [len(self.tensors) - 1]
        operator.builtinOptions, operator.builtinOptionsType = options
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, [operator]
        graph.inputs, graph.outputs = [0], operator.outputs
        kind = schema.OperatorCodeT()
        kind.builtinCode = kind.deprecatedBuiltinCode = code
        kind.version = 1
        model = schema.ModelT()
        model.version, model.operatorCodes = 3, [kind]
        model.subgraphs, model.buffers = [graph], self.buffers
        model.description = b""
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        interpreter = runtime.Interpreter.from_bytes(
            bytes(builder.Output()), arena_size=1 << 20
        )
        found = []
        for sample in samples:
            interpreter.set_input(sample[None], 0)
            interpreter.invoke()
            found.append(interpreter.get_output(0)[0].copy())
        return np.array(found)


def activation(step):
    """The code of the bounds of a step."""
    ends = tuple(None if abs(v) == np.inf else v for v in (step.low, step.high))
    return getattr(schema.ActivationFunctionType, ACTIVATIONS[ends])


def answers(small, samples):
    """The int8 outputs (N, size) of a network of one linear or convolution step."""
    (step,) = small.graph.steps
    numbers = small.numbers[step.y]
    source, target = small.levels[0], small.levels[step.y]
    weight = numbers.weight.reshape(step.weight.shape)
    scale = numbers.scales(source, target)
    # The bias without the zero point, which the interpreter subtracts itself.
    bias = numbers.bias + source.zero * numbers.weight.sum(axis=1, dtype=np.int64)
    bias_scale = np.float32(source.scale) * scale
    model, (channels, height, width) = Model(), step.plane
    if step.kind == "Linear":
        model.tensor(np.int8, (1, channels), source.scale, source.zero)
        model.tensor(np.int8, weight.shape[:2], scale, data=weight)
        model.tensor(np.int32, bias.shape, bias_scale, data=bias)
        model.tensor(np.int8, (1, step.out[0]), target.scale, target.zero)
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = activation(step)
        pair = options, schema.BuiltinOptions.FullyConnectedOptions
        code = schema.BuiltinOperator.FULLY_CONNECTED
        return model.run(code, pair, [0, 1, 2], samples)
    depthwise = step.groups == channels > 1
    # Channels come last there: (out, kh, kw, in), or (1, kh, kw, out) depthwise.
    order = weight.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1))
    model.tensor(np.int8, (1, height, width, channels), source.scale, source.zero)
    dimension = 3 if depthwise else 0
    data = np.ascontiguousarray(order)
    model.tensor(np.int8, data.shape, scale, data=data, dimension=dimension)
    model.tensor(np.int32, bias.shape, bias_scale, data=bias)
    out = (1, *step.out[1:], step.out[0])
    model.tensor(np.int8, out, target.scale, target.zero)
    if depthwise:
        options = schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = step.out[0] // channels
        pair = options, schema.BuiltinOptions.DepthwiseConv2DOptions
        code = schema.BuiltinOperator.DEPTHWISE_CONV_2D
    else:
        options = schema.Conv2DOptionsT()
        pair = options, schema.BuiltinOptions.Conv2DOptions
        code = schema.BuiltinOperator.CONV_2D
    options.fusedActivationFunction = activation(step)
    padded = any(map(any, step.window.padding))
    options.padding = schema.Padding.SAME if padded else schema.Padding.VALID
    options.strideH, options.strideW = step.window.stride
    options.dilationHFactor, options.dilationWFactor = step.window.dilation
    planes = samples.reshape(len(samples), channels, height, width)
    found = model.run(code, pair, [0, 1, 2], planes.transpose(0, 2, 3, 1).copy())
    return found.transpose(0, 3, 1, 2).reshape(len(samples), -1)
