"""What a whole layer, or a residual block with a shortcut, is worth: one number each.

A block is spare if the loss does not feel its absence, if its batch norm turns it down,
or if what comes out is what went in.
"""

import numpy as np

from minprune._check import FloatArray, dimensions, float64, same_shape
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._ratio import centered


@criterion(
    unit="loss",
    granularity="layer",
    formula="L(without the block) - L",
    cites=("veit2016residual",),
    batch="difference of mean losses",
    holds=set(),
)
def block_ablation(block_loss_change: FloatArray) -> FloatArray:
    r"""Rise of the loss when a block is skipped, as measured.

    Parameters
    ----------
    block_loss_change : ndarray of float, shape ()
        Mean loss with the block replaced by its shortcut, minus mean loss.

    Returns
    -------
    score : ndarray of float64, shape ()
        The rise, in units of the loss. Higher means keep.

    Raises
    ------
    ValueError
        If `block_loss_change` is not one finite number.

    See Also
    --------
    leave_one_out : One unit of a layer.
    block_influence : A guess without labels.

    Notes
    -----
    .. math:: s = L(\text{without the block}) - L

    Residual networks bear the loss of most single blocks ([1]_, Sec. 4.1); a plain
    layer has no shortcut and its absence is felt.

    References
    ----------
    .. [1] A. Veit, M. Wilber and S. Belongie, "Residual networks behave like ensembles
       of relatively shallow networks", NeurIPS 2016. arXiv:1605.06431

    Examples
    --------
    >>> block_ablation(np.array(0.25))
    array(0.25)
    """
    (change,) = float64("block_ablation", block_loss_change=block_loss_change)
    dimensions("block_ablation", 0, block_loss_change=change)
    return np.array(change)


@criterion(
    unit="scale",
    granularity="layer",
    formula="mean |gamma|",
    cites=("elkerdawy2020filter",),
    batch_norm="mean size of the scales; shifts are not read",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
        Holds.DATA_FREE,
    },
)
def layer_scale(bn_scale: FloatArray) -> FloatArray:
    r"""How far a layer's batch norm turns it up, on average over its channels.

    Parameters
    ----------
    bn_scale : ndarray of float, shape (out,)
        Scales (gamma) of the batch norm behind the layer.

    Returns
    -------
    score : ndarray of float64, shape ()
        Mean size of the scales. Higher means keep.

    Raises
    ------
    ValueError
        If there is no channel, or `bn_scale` holds a NaN or an infinity.

    See Also
    --------
    bn_scale_magnitude : Channel by channel.

    Notes
    -----
    .. math:: s = \frac1C \sum_c |\gamma_c|

    A mean, so that layers of different width can be compared ([1]_). It
    speaks of a block only if the scale is the last thing before the shortcut joins.

    References
    ----------
    .. [1] S. Elkerdawy, M. Elhoushi, A. Singh, H. Zhang and N. Ray, "To filter prune,
       or to layer prune, that is the question", ACCV 2020. arXiv:2007.05667

    Examples
    --------
    >>> layer_scale(np.array([0.5, -1.5, 1.0]))
    array(1.)
    """
    (scale,) = float64("layer_scale", bn_scale=bn_scale)
    dimensions("layer_scale", 1, bn_scale=scale)
    if scale.size == 0:
        raise ValueError("layer_scale: bn_scale is empty; expected one channel or more")
    return np.array(np.abs(scale).mean())


@criterion(
    unit="1",
    granularity="layer",
    formula="1 - ||Y'X||^2 / (||X'X|| ||Y'Y||), columns centered",
    cites=("kornblith2019similarity",),
    batch="centered over examples",
    normalization="Frobenius norms of both Gram matrices",
    holds={Holds.NON_NEGATIVE, Holds.PERMUTES_OUT, Holds.BATCH_ORDER},
)
def linear_cka(block_input: FloatArray, block_output: FloatArray) -> FloatArray:
    r"""How unlike the geometry of the examples is behind a block and in front of it.

    Parameters
    ----------
    block_input : ndarray of float, shape (examples, ...)
        What goes into the block.
    block_output : ndarray of float, shape (examples, ...)
        What comes out; any number of features.

    Returns
    -------
    score : ndarray of float64, shape ()
        One minus the centered kernel alignment, 0 to 1. Higher means keep.

    Raises
    ------
    ValueError
        If the examples differ in number or are fewer than two, or an array holds a NaN
        or an infinity.

    See Also
    --------
    block_influence : Compares the vectors themselves, feature by feature.

    Notes
    -----
    With examples as rows, features centered over the examples,

    .. math:: s = 1 - \frac{\|Y^\top X\|_F^2}{\|X^\top X\|_F\,\|Y^\top Y\|_F}
              = 1 - \frac{\langle X X^\top, Y Y^\top \rangle}
                         {\|X X^\top\|_F\,\|Y Y^\top\|_F}

    ([1]_; the paper gives the similarity, here is its complement). The second
    form is computed: its matrices have one row an example, however many features there
    are. Turning either space, scaling it or shifting it changes nothing. If one side
    does not vary, the score is 1.

    References
    ----------
    .. [1] S. Kornblith, M. Norouzi, H. Lee and G. Hinton, "Similarity of neural network
       representations revisited", ICML 2019. arXiv:1905.00414

    Examples
    --------
    Turned, doubled and shifted, but the same picture; then one that is not.

    >>> x = np.array([[0.0, 1.0], [2.0, 0.0], [1.0, 3.0]])
    >>> turned = 2 * x[:, ::-1] + 5
    >>> float(linear_cka(x, turned).round(6)), float(linear_cka(x, x**3).round(2))
    (0.0, 0.15)
    """
    x, y = float64("linear_cka", block_input=block_input, block_output=block_output)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y) or len(x) < 2:
        raise ValueError(
            f"linear_cka: block_input has shape {x.shape} and block_output {y.shape}; "
            f"expected the same examples on the first axis, two or more"
        )
    kernels = []
    for side in (x, y):
        features = centered(side.reshape(len(side), -1), axis=0)
        kernels.append(features @ features.T)
    k, m = kernels
    lengths = np.linalg.norm(k) * np.linalg.norm(m)
    alike = np.sum(k * m) / lengths if lengths > 0 else 0.0
    return np.array(np.clip(1.0 - alike, 0.0, 1.0))


@criterion(
    unit="1",
    granularity="layer",
    formula="1 - mean cos(x, y) over examples and places",
    cites=("men2024shortgpt",),
    batch="cosine per example and place, then mean",
    normalization="length of each vector of features",
    holds={Holds.NON_NEGATIVE, Holds.PERMUTES_OUT, Holds.BATCH_ORDER},
)
def block_influence(block_input: FloatArray, block_output: FloatArray) -> FloatArray:
    r"""How far a block turns the vectors that pass through it.

    Parameters
    ----------
    block_input : ndarray of float, shape (examples, features, ...places)
        What goes into the block.
    block_output : ndarray of float, same shape as `block_input`
        What comes out, shortcut and all.

    Returns
    -------
    score : ndarray of float64, shape ()
        One minus the mean cosine, 0 to 2. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, there is no vector, or an array holds a NaN or an
        infinity.

    See Also
    --------
    linear_cka : For blocks that change the number of features.

    Notes
    -----
    .. math:: s = 1 - \frac1{NM} \sum_{nm}
              \frac{x_{nm}^\top y_{nm}}{\|x_{nm}\|\,\|y_{nm}\|}

    ([1]_, where the places are the tokens). A block that only stretches scores
    zero. Two zero vectors count as alike, a zero vector and another as at right angles.

    References
    ----------
    .. [1] X. Men et al., "ShortGPT: Layers in large language models are more redundant
       than you expect", 2024. arXiv:2403.03853

    Examples
    --------
    One vector is stretched, one is turned by a right angle.

    >>> block_influence(np.eye(2), np.array([[3.0, 0.0], [1.0, 0.0]]))
    array(0.5)
    """
    x, y = float64(
        "block_influence", block_input=block_input, block_output=block_output
    )
    same_shape("block_influence", block_input=x, block_output=y)
    dimensions("block_influence", 2, 3, 4, block_input=x)
    if x.size == 0:
        raise ValueError(
            f"block_influence: block_input has shape {x.shape}, which holds no vector; "
            f"expected one example or more"
        )
    of_x, of_y = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    both = of_x * of_y
    alike = np.where((of_x == 0) & (of_y == 0), 1.0, 0.0)
    np.divide((x * y).sum(axis=1), both, out=alike, where=both > 0)
    return np.array(max(1.0 - alike.mean(), 0.0))
