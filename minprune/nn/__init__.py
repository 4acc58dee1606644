"""The dense network, readable: each layer's backward stands under its forward."""

from minprune.nn import models, rates
from minprune.nn.activation import (
    GELU,
    Flatten,
    LeakyReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    Softmax,
    Tanh,
)
from minprune.nn.boost import FeatureBoost
from minprune.nn.cells import GRU, LSTM, RNN
from minprune.nn.chain import Concat, Heads, Residual, Sequential, SqueezeExcite
from minprune.nn.checkpoint import Checkpoint
from minprune.nn.conv import Conv1d, Conv2d
from minprune.nn.dropout import Dropout
from minprune.nn.embedding import Embedding
from minprune.nn.layer import EVAL, KINDS, Layer, Mode
from minprune.nn.linear import Linear
from minprune.nn.loss import (
    CrossEntropy,
    Distillation,
    Tasks,
    binary_cross_entropy,
    cross_entropy,
    mean_squared_error,
    taught,
)
from minprune.nn.network import Network
from minprune.nn.norm import BatchNorm, LayerNorm
from minprune.nn.optim import SGD, Adam, AdamW
from minprune.nn.pool import AvgPool1d, AvgPool2d, GlobalAvgPool, MaxPool1d, MaxPool2d
from minprune.nn.regularize import FGSM, Penalized, group_lasso, hoyer_square, l1, l2
from minprune.nn.train import Epoch, Procedure, Run, evaluate, train

__all__ = [
    "EVAL",
    "FGSM",
    "GELU",
    "GRU",
    "KINDS",
    "LSTM",
    "RNN",
    "SGD",
    "Adam",
    "AdamW",
    "AvgPool1d",
    "AvgPool2d",
    "BatchNorm",
    "Checkpoint",
    "Concat",
    "Conv1d",
    "Conv2d",
    "CrossEntropy",
    "Distillation",
    "Dropout",
    "Embedding",
    "Epoch",
    "FeatureBoost",
    "Flatten",
    "GlobalAvgPool",
    "Heads",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool1d",
    "MaxPool2d",
    "Mode",
    "Network",
    "Penalized",
    "Procedure",
    "ReLU",
    "ReLU6",
    "Residual",
    "Run",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "SqueezeExcite",
    "Tanh",
    "Tasks",
    "binary_cross_entropy",
    "cross_entropy",
    "evaluate",
    "group_lasso",
    "hoyer_square",
    "l1",
    "l2",
    "mean_squared_error",
    "models",
    "rates",
    "taught",
    "train",
]
