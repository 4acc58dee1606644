"""Whole networks drawn by hypothesis: convolutions, pools, norms, ways around."""

from hypothesis import strategies as st

from minprune import nn

POINTWISE = [nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.GELU]


@st.composite
def networks(draw, bends=POINTWISE):
    """A convolutional front of one to four blocks, then one to three linear layers."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(5, 9)), draw(st.integers(5, 9)))
    layers, at = [], shape
    for _ in range(draw(st.integers(1, 4))):
        block = draw(st.sampled_from(["conv", "pool", "residual", "concat", "squeeze"]))
        made = BLOCKS[block](draw, at)
        if draw(st.booleans()):
            width = nn.Sequential(*made).output_shape(at)[0]
            made.append(nn.BatchNorm(width, affine=draw(st.booleans())))
        made.append(draw(st.sampled_from(bends))())
        layers += made
        at = nn.Sequential(*made).output_shape(at)
    layers.append(nn.GlobalAvgPool() if draw(st.booleans()) else nn.Flatten())
    (features,) = nn.Sequential(*layers).output_shape(shape)
    for _ in range(draw(st.integers(0, 2))):
        wide = draw(st.integers(1, 9))
        layers += [nn.Linear(features, wide), draw(st.sampled_from(bends))()]
        features = wide
    layers.append(nn.Linear(features, 3, bias=draw(st.booleans())))
    return nn.Network(nn.Sequential(*layers), shape, seed=draw(st.integers(0, 999)))


def conv(draw, shape, same=False, width=None):
    """A convolution of any kind, or one that keeps the size."""
    channels = shape[0]
    groups = draw(
        st.sampled_from([g for g in range(1, channels + 1) if channels % g == 0])
    )
    wide = width or groups * draw(st.integers(1, 3))
    if same:
        return [
            nn.Conv2d(
                channels, wide, 3, padding="same", dilation=draw(st.integers(1, 2))
            )
        ]
    kernel = [draw(st.integers(1, min(3, n))) for n in shape[1:]]
    sides = [[draw(st.integers(0, 2)), draw(st.integers(0, 2))] for _ in range(2)]
    stride = [draw(st.integers(1, 2)) for _ in range(2)]
    return [
        nn.Conv2d(channels, wide, kernel, stride, sides, 1, groups, draw(st.booleans()))
    ]


def pool(draw, shape):
    kind = draw(st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]))
    kernel = min(draw(st.integers(1, 3)), *shape[1:])
    return [kind(kernel, draw(st.integers(1, 2)), kernel // 2)]


def residual(draw, shape):
    if draw(st.booleans()):
        return [
            nn.Residual(nn.Sequential(*conv(draw, shape, same=True, width=shape[0])))
        ]
    width = draw(st.integers(1, 4))
    body = conv(draw, shape, same=True, width=width)
    return [nn.Residual(nn.Sequential(*body), nn.Conv2d(shape[0], width, 1))]


def concat(draw, shape):
    return [
        nn.Concat(nn.Sequential(*conv(draw, shape, same=True)), nn.MaxPool2d(3, 1, 1))
    ]


def squeeze(draw, shape):
    inner = [nn.Linear(shape[0], 2), nn.ReLU(), nn.Linear(2, shape[0]), nn.Sigmoid()]
    return [nn.SqueezeExcite(nn.Sequential(nn.GlobalAvgPool(), *inner))]


BLOCKS = {"conv": conv, "pool": pool, "residual": residual}
BLOCKS |= {"concat": concat, "squeeze": squeeze}
