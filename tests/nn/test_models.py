"""Models by name: published sizes, and that each adapts to the data it is given."""

import numpy as np
import pytest

from minprune import data, nn
from minprune.nn import models


def sizes(name, shape, outputs, **options):
    """(parameters, multiply-adds) of a model for samples of this shape."""
    net = nn.Network(models.MODELS[name](shape, outputs, **options), shape)
    return sum(p.size for p in net.parameters().values()), net.macs()


PUBLISHED = [
    # Han et al. 2015, Table 3: "267K", weights and biases.
    ("lenet_300_100", (1, 28, 28), 10, 266_610, 266_200),
    # Layers of BVLC/caffe, examples/mnist/lenet.prototxt; Han et al. 2015, Table 4:
    # "431K", and 4586K operations, twice these.
    ("lenet5", (1, 28, 28), 10, 431_080, 2_293_000),
    # model.summary() of the TensorFlow quickstart: "Total params: 101,770".
    ("mlp_128", (1, 28, 28), 10, 101_770, 101_632),
    # torchvision's page of mobilenet_v2: num_params 3504872, GFLOPS 0.30 (of
    # multiply-adds).
    ("mobilenet_v2", (3, 224, 224), 1000, 3_504_872, 300_774_272),
    # He et al. 2016, Table 6: "0.27M", with zero-padded shortcuts; the projections
    # here add 2,752 of these. Multiply-adds by hand.
    ("resnet20", (3, 32, 32), 10, 272_474, 40_813_184),
    # Layers of ARM-software/ML-KWS-for-MCU, ds_cnn with model_size_info "5 64 10 4 2 2
    # 64 3 3 1 1 ..."; Zhang et al. 2017, Table 5: 5.4M operations, twice these.
    ("ds_cnn", (1, 49, 10), 12, 23_180, 2_656_768),
]

BY_HAND = [
    # conv1 320, conv2 18,496, fc1 1600 * 64 + 64, fc2 650; uses 26^2, 11^2.
    ("keras_cnn", (1, 28, 28), 10, 121_930, 288 * 676 + 18_432 * 121 + 102_400 + 640),
    # convolutions 896, 18,496, 73,856; fc1 2048 * 64 + 64; fc2 650.
    (
        "cifar_cnn",
        (3, 32, 32),
        10,
        225_034,
        864 * 1024 + 18_432 * 256 + 73_728 * 64 + 131_072 + 640,
    ),
    # Weights 16 * 5 * 6 and 32 * 5 * 16, fc 320 * 64 and 64 * 7.
    ("cnn1d", (6, 40), 7, 24_087, 480 * 40 + 2560 * 20 + 20_480 + 448),
    ("mlp", (1, 8, 8), 10, 17_226, 8192 + 8192 + 640),
    ("small_cnn", (1, 8, 8), 10, 38_282, 144 * 64 + 4608 * 64 + 32_768 + 640),
    # Three gates of 32 rows over 12 inputs and 32 states, two biases each.
    ("gru", (12, 29), 9, 96 * (12 + 32 + 2) + 297, 96 * 44 * 29 + 288),
    ("lstm", (12, 29), 9, 128 * (12 + 32 + 2) + 297, 128 * 44 * 29 + 288),
    ("multi_head", (64,), 11, 64 * 128 + 128 + 128 * 11 + 11, 64 * 128 + 128 * 11),
]


@pytest.mark.parametrize(
    ("name", "shape", "outputs", "parameters", "macs"), PUBLISHED + BY_HAND
)
def test_parameters_and_multiply_adds(name, shape, outputs, parameters, macs):
    assert sizes(name, shape, outputs) == (parameters, macs)


def test_vgg_and_inception_by_a_count_of_their_pieces():
    """3x3 convolutions without bias, batch norm with two numbers a channel."""
    vgg, channels = 0, 3
    for width in (32, 32, 64, 64, 128, 128):
        vgg += channels * width * 9 + 2 * width
        channels = width
    vgg += 128 * 4 * 4 * 128 + 128 + 128 * 10 + 10
    assert sizes("vgg_small", (3, 32, 32), 10)[0] == vgg

    def block(c, w):
        return 4 * c * w + (9 + 25) * w * w + 6 * 2 * w

    inception = 3 * 32 * 9 + 64 + block(32, 16) + block(64, 32) + 128 * 10 + 10
    assert sizes("inception_small", (3, 32, 32), 10)[0] == inception


def test_the_autoencoder_of_mlperf_tiny():
    """269,992 numbers (Banbury et al. 2021), running statistics included."""
    net = nn.Network(models.autoencoder((640,), 640), (640,))
    buffers = sum(b.size for x in net.layers().values() for b in x.buffers.values())
    assert sum(p.size for p in net.parameters().values()) + buffers == 269_992


def test_the_bidirectional_gru_of_mnist1d():
    """5,134 parameters: 6 units each way, all 40 states of 12 features classified."""
    inner = nn.GRU(1, 6, bidirectional=True)
    net = nn.Network(nn.Sequential(inner, nn.Flatten(), nn.Linear(480, 10)), (1, 40))
    assert sum(p.size for p in net.parameters().values()) == 5134


def test_the_width_multiplier_keeps_multiples_of_eight():
    net = nn.Network(models.mobilenet_v2((3, 32, 32), 10, width=0.35), (3, 32, 32))
    widths = {len(w) for name, w in net.weights().items() if "classifier" not in name}
    assert all(width % 8 == 0 for width in widths)
    assert sizes("mobilenet_v2", (3, 32, 32), 10, width=0.35)[0] < 5e5


IMAGES = ["lenet5", "small_cnn", "keras_cnn", "cifar_cnn", "vgg_small", "resnet20"]
IMAGES += ["mobilenet_v2", "inception_small", "ds_cnn"]
SEQUENCES = ["cnn1d", "gru", "lstm"]
ANY = ["mlp", "mlp_128", "lenet_300_100", "autoencoder", "multi_head"]


def test_every_model_is_in_these_lists():
    assert set(models.MODELS) == {*IMAGES, *SEQUENCES, *ANY}


def toy(shape):
    rng = np.random.default_rng(0)
    return data.from_arrays(
        rng.normal(size=(24, *shape)), np.arange(24) % 4, name="toy"
    )


@pytest.mark.parametrize(
    ("name", "shape"),
    [(name, shape) for name in IMAGES for shape in [(1, 8, 8), (3, 17, 23)]]
    + [(name, (3, 9)) for name in SEQUENCES]
    + [(name, shape) for name in ANY for shape in [(5,), (3, 9), (1, 4, 4)]],
)
def test_a_model_adapts_to_its_data_and_learns_from_a_batch(name, shape):
    ds = toy(shape)
    net = models.build(name, ds, seed=0)
    before = {key: w.copy() for key, w in net.weights().items()}
    (epoch,) = nn.train(net, ds, epochs=1, batch_size=16)
    assert np.isfinite(epoch.train_loss)
    assert net(ds.test.x).shape == (4, 4)
    for key, weight in net.weights().items():
        assert (weight != before[key]).any(), key


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("lenet5", (64,), r"lenet5 cannot take toy: .* \(64,\); expected images"),
        ("gru", (1, 8, 8), r"gru cannot take toy: .* expected sequences \(C, L\)"),
        ("cifar_cnn", (1, 4, 4), "cifar_cnn cannot take toy: layer"),
        ("lenet", (64,), "no model 'lenet'; did you mean 'lenet5'"),
    ],
)
def test_data_that_fit_no_model_are_refused(name, shape, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, toy(shape))


def test_heads_have_to_add_up():
    with pytest.raises(ValueError, match="do not add up to 4 outputs"):
        models.build("multi_head", toy((5,)), heads=(("a", 3),))
