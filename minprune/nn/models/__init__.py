"""Networks by name, each adapting to the shape of the data it is built for."""

from minprune.nn.models._registry import MODELS, build, model
from minprune.nn.models.dense import autoencoder, lenet_300_100, mlp, mlp_128
from minprune.nn.models.image import (
    cifar_cnn,
    keras_cnn,
    lenet5,
    small_cnn,
    vgg_small,
)
from minprune.nn.models.modern import inception_small, mobilenet_v2, resnet20
from minprune.nn.models.sequence import cnn1d, ds_cnn, gru, lstm
from minprune.nn.models.tasks import multi_head

__all__ = [
    "MODELS",
    "autoencoder",
    "build",
    "cifar_cnn",
    "cnn1d",
    "ds_cnn",
    "gru",
    "inception_small",
    "keras_cnn",
    "lenet5",
    "lenet_300_100",
    "lstm",
    "mlp",
    "mlp_128",
    "mobilenet_v2",
    "model",
    "multi_head",
    "resnet20",
    "small_cnn",
    "vgg_small",
]
