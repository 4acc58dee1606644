"""How other toolkits select, as named contracts.

Asked for the same sparsity of the same scores, toolkits remove different weights: they
round differently, treat scores that are equal at the cut differently, and differ in
what a sparsity refers to when something is already gone. A profile states the three
rules of one toolkit, so that a difference of contract can be told from a defect.

The rules were read in the sources of the toolkits; those of torch, torch.ao, NNI 3,
TensorFlow Model Optimization, SparseML, Neural Compressor, Wanda, SparseGPT, OBC, RigL,
Synaptic-Flow, GraSP, FPGM, LAMP, WoodFisher and EigenDamage were also compared with
what the code does when it runs.
"""

import numpy as np

from minprune._check import BoolArray, FloatArray, one_of
from minprune.masks.contract import REFERS, TIES, Profile
from minprune.masks.count import NoAnswer, Share
from minprune.masks.select import lowest

_ROUND = "round(n s)"
_FLOOR = "int(n s)"
_DENSITY_FLOOR = "int(n (1 - (1 - s)))"
_KEEP_FLOOR = "n - int(n (1 - s))"
_KEEP_ROUND = "n - round(n (1 - s))"
_CEIL = "ceil(n s)"
_SORTED = "int(n s) + 1, threshold sorted[int(n s)]"

_TABLE = (
    Profile("minprune", "minprune", "round(n s), exact", "split", "original"),
    Profile("torch", "torch.nn.utils.prune", _ROUND, "split", "remaining"),
    Profile(
        "torch_ao",
        "torch.ao.pruning, WeightNormSparsifier",
        "round(n s), one kept below s = 1",
        "split",
        "original",
    ),
    Profile("torch_pruning", "Torch-Pruning, local", _KEEP_FLOOR, "split", "original"),
    Profile(
        "torch_pruning_global",
        "Torch-Pruning, global",
        _KEEP_FLOOR,
        "removed",
        "original",
    ),
    Profile("nni", "NNI 2 and 3, local", _FLOOR, "split", "original"),
    Profile("nni_v2_global", "NNI 2, global", _FLOOR, "removed", "original"),
    Profile("nni_v3_global", "NNI 3, global", _FLOOR, "kept", "original"),
    Profile(
        "neural_compressor", "Intel Neural Compressor 2", _FLOOR, "removed", "original"
    ),
    Profile("distiller", "Distiller, structures", _FLOOR, "removed", "original"),
    Profile("fpgm_norm", "FPGM, norm stage", _DENSITY_FLOOR, "split", "original"),
    Profile("fpgm_distance", "FPGM, distance stage", _FLOOR, "split", "original"),
    Profile("rigl", "RigL, drop", _FLOOR, "drawn", "remaining"),
    Profile("wanda", "Wanda, per row", _FLOOR, "split", "once"),
    Profile("dnw", "STR repository, DNW", _FLOOR, "split", "original"),
    Profile(
        "tfmot",
        "TensorFlow Model Optimization",
        "n - max(round(n (1 - s)), 1), float32",
        "kept",
        "original",
    ),
    Profile("sparseml", "SparseML", _ROUND, "split", "original"),
    Profile(
        "nncf",
        "NNCF, magnitude",
        "int((n - 1) s) + 1, threshold sorted[int((n - 1) s)]",
        "removed",
        "original",
    ),
    Profile(
        "nncf_filters",
        "NNCF 2, filters",
        "n - 8 ceil((n - n s) / 8), none below 0",
        "kept",
        "original",
    ),
    Profile("network_slimming", "Network slimming", _SORTED, "removed", "once"),
    Profile("sparsegpt", "SparseGPT", _SORTED, "removed", "once"),
    Profile(
        "wanda_magnitude", "Wanda repository, magnitude", _SORTED, "removed", "once"
    ),
    Profile(
        "eigendamage", "EigenDamage", _SORTED, "removed", "once", spares_first=True
    ),
    Profile(
        "open_lth",
        "open_lth",
        "ceil(n s) + 1, threshold sorted[ceil(n s)]",
        "removed",
        "remaining",
    ),
    Profile("synflow", "Synaptic-Flow", _DENSITY_FLOOR, "removed", "original"),
    Profile(
        "grasp",
        "GraSP",
        "int(n (1 - (1 - s))) - 1, threshold the last of them",
        "kept",
        "once",
    ),
    Profile("snip", "SNIP", _KEEP_ROUND, "split", "once"),
    Profile("force", "FORCE", _KEEP_FLOOR, "kept", "original"),
    Profile("movement", "Movement pruning", _KEEP_FLOOR, "split", "original"),
    Profile("sparse_learning", "sparse_learning", _CEIL, "split", "remaining"),
    Profile("itop", "ITOP, lottery initialization", _CEIL, "kept", "once"),
    Profile("obc", "OBC", _CEIL, "split", "once"),
    Profile(
        "shrinkbench", "ShrinkBench", "ceil((n - 1) s), quantile", "kept", "original"
    ),
    Profile(
        "lamp",
        "LAMP, one layer",
        "n - round(n (1 - s)), none kept fails",
        "split",
        "remaining",
    ),
    Profile(
        "woodfisher",
        "WoodFisher",
        "n - ceil(n (1 - s)) + 1, threshold the last kept",
        "removed",
        "original",
    ),
)

PROFILES: dict[str, Profile] = {row.name: row for row in _TABLE}
"""Every profile by name."""


def profile(name: str) -> Profile:
    """The profile of that name, or a ValueError with the nearest name."""
    return PROFILES[one_of("profile", "profile", name, PROFILES)]


def compare(
    first: str,
    second: str,
    scores: FloatArray,
    sparsity: Share,
    *,
    previous: BoolArray | None = None,
    seed: int = 0,
) -> str:
    """Say in words how two profiles differ on given scores, and why.

    Parameters
    ----------
    first, second : str
        Names of profiles.
    scores, sparsity, previous, seed
        As in `Profile.mask`.

    Returns
    -------
    text : str
        What each removes; then, one line each, the rules that make the difference:
        what the sparsity refers to, the count, the ties.

    Raises
    ------
    ValueError
        If there is no such profile, and as in `Profile.mask`.

    Examples
    --------
    >>> print(compare("torch", "tfmot", np.ones(8), 0.5))
    torch removes 4 of 8, tfmot removes none of 8; they differ at 4 of 8 places, the
    first at 0.
    ties: 8 scores equal the one at the cut. torch: as many of them go as the count
    asks, in a fixed order. tfmot: all of them stay, short of the count.
    """
    sides = [profile(first), profile(second)]
    answers = [_answer(side, scores, sparsity, previous, seed) for side in sides]
    array = np.asarray(scores)
    there = np.ones(array.shape, np.bool_) if previous is None else previous
    lines = [_outcome(sides, answers, array.size)]
    gone = array.size - int(np.count_nonzero(there))
    if gone and sides[0].refers != sides[1].refers:
        said = (f"{side.name}: {REFERS[side.refers]}." for side in sides)
        lines.append(f"re-pruning: {gone} are already gone. {' '.join(said)}")
    asked = [
        None if mask is None else side.asked(array.size, gone, sparsity)
        for side, mask in zip(sides, answers, strict=True)
    ]
    if asked[0] != asked[1]:
        said = (
            f"{side.name} fails, as {side.rule}."
            if count is None
            else f"{side.name} asks for {count}, as {side.rule}."
            for side, count in zip(sides, asked, strict=True)
        )
        lines.append(f"count: {' '.join(said)}")
    equal = max(_tied(array[there], (count or 0) - gone) for count in asked)
    if equal and sides[0].ties != sides[1].ties:
        said = (f"{side.name}: {TIES[side.ties]}." for side in sides)
        lines.append(f"ties: {equal} scores equal the one at the cut. {' '.join(said)}")
    return "\n".join(lines)


def _answer(
    side: Profile,
    scores: FloatArray,
    sparsity: Share,
    previous: BoolArray | None,
    seed: int,
) -> BoolArray | None:
    """The mask, or None where the toolkit fails."""
    try:
        return side.mask(scores, sparsity, previous=previous, seed=seed)
    except NoAnswer:
        return None


def _outcome(sides: list[Profile], answers: list[BoolArray | None], size: int) -> str:
    """What each removed, and where they differ."""
    said = []
    for side, mask in zip(sides, answers, strict=True):
        count = None if mask is None else int(np.count_nonzero(~mask))
        what = "fails" if count is None else f"removes {count or 'none'} of {size}"
        said.append(f"{side.name} {what}")
    if answers[0] is None or answers[1] is None:
        return f"{', '.join(said)}."
    places = np.flatnonzero(answers[0] != answers[1])
    differ = (
        f"they differ at {places.size} of {size} places, the first at {places[0]}"
        if places.size
        else "the masks are equal"
    )
    return f"{', '.join(said)}; {differ}."


def _tied(scores: FloatArray, count: int) -> int:
    """How many scores equal the one at the cut, if they lie on both sides of it."""
    if not 0 < count < scores.size:
        return 0
    split = lowest(scores, count)
    cut = scores[split].max()
    return int(np.count_nonzero(scores == cut)) if (scores[~split] == cut).any() else 0
