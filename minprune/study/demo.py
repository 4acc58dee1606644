"""The main job from end to end: real data in, a verified pruned model out.

Train a small network, prune it while it trains, recover it in sparse storage, measure
what was gained and lost, and leave files that run elsewhere.
"""

import contextlib
import importlib.util
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from minprune import data as data_room
from minprune import metrics, nn, prune, sparse, store
from minprune._check import one_of
from minprune.data import Dataset
from minprune.nn import Epoch, Network
from minprune.nn.train import default_loss, evaluate

Tell = Callable[[str], Any]
BATCH = 128


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the demonstration does; the defaults are for small images."""

    model: str = "small_cnn"
    sparsity: str = "0.93"
    criterion: str = "magnitude"
    batch_size: int = 64
    lr: float = 3e-3
    dense_epochs: int = 25
    pruning_epochs: int = 25
    recovery_epochs: int = 10
    curve: tuple[str, ...] = ("magnitude", "taylor", "random")
    """Criteria tried one-shot, without recovery, for the curve."""
    curve_sparsities: tuple[str, ...] = ("0.5", "0.7", "0.8", "0.9", "0.95", "0.98")


RECIPES = {
    "digits": Recipe(),
    "watch": Recipe(model="cnn1d", sparsity="0.9"),
    "jvowels": Recipe(model="cnn1d", sparsity="0.9"),
    "mnist1d": Recipe(model="mlp", sparsity="0.9"),
}


@dataclass
class Story:
    """What the demonstration found: figures for a machine, the rest for a page."""

    data: Dataset
    recipe: Recipe
    dense: Network
    pruned: Network
    figures: dict[str, Any]
    history: list[tuple[str, Epoch]] = field(default_factory=list)
    """Every epoch with the stage it belongs to."""
    curve: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Validation accuracy by sparsity, one-shot without recovery, by criterion."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why each layer is held in the form it is held in."""


def demo(
    name: str, folder: str | Path, *, seed: int = 0, tell: Tell = lambda text: None
) -> Story:
    """Run the demonstration and leave its files in `folder`.

    Parameters
    ----------
    name : str
        A data set in `RECIPES`.
    folder : str or path
        Made if it is not there.
    seed : int
        Of everything drawn.
    tell : callable
        Called with a line whenever there is something new to say.

    Returns
    -------
    story : Story
        `figures` is what ``minprune demo --json`` prints.
    """
    started = time.perf_counter()
    recipe = RECIPES[one_of("demo", "data set with a recipe", name, RECIPES)]
    data = data_room.load(name)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    history: list[tuple[str, Epoch]] = []

    def train(net: Network, stage: str, epochs: int, *procedures: Any) -> Network:
        def note(epoch: Epoch) -> None:
            history.append((stage, epoch))
            tell(
                f"{stage}: epoch {epoch.epoch + 1} of {epochs}, validation "
                f"{epoch.val_score:.4f}, sparsity {epoch.sparsity:.3f}"
            )

        nn.train(
            net,
            data,
            epochs=epochs,
            batch_size=recipe.batch_size,
            optimizer=nn.Adam(recipe.lr),
            rate=nn.rates.cosine,
            procedures=procedures,
            seed=seed,
            progress=note,
        )
        return net

    dense = nn.models.build(recipe.model, data, seed=seed)
    train(dense, "training", recipe.dense_epochs)
    gradual = prune.Gradual(recipe.criterion, sparsity=recipe.sparsity, seed=seed)
    masked = train(dense.copy(), "pruning", recipe.pruning_epochs, gradual)
    pruned = train(sparse.compress(masked), "recovering", recipe.recovery_epochs)

    files = {name: folder / f"{name}.safetensors" for name in ("dense", "pruned")}
    store.save(dense, files["dense"])
    store.save(pruned, files["pruned"])
    tell("checking the player")
    files["player"] = folder / "player.py"
    agreement = check_player(pruned, data, files["pruned"], files["player"])
    tell("timing")
    figures = {
        "dataset": data.name,
        "model": recipe.model,
        "criterion": recipe.criterion,
        "seed": seed,
        **before_and_after(dense, pruned, data),
        "player_agrees": agreement.agree,
        "player_difference": agreement.largest_difference,
        "player_share_of_bound": agreement.largest_share_of_bound,
        "files": {name: str(path) for name, path in files.items()},
    }
    tell("comparing criteria")
    story = Story(data, recipe, dense, pruned, figures, history)
    story.curve = criteria_curve(dense, data, recipe, seed)
    story.reasons = sparse.explain(pruned)
    figures["seconds"] = time.perf_counter() - started
    return story


def before_and_after(dense: Network, pruned: Network, data: Dataset) -> dict[str, Any]:
    """Both networks' figures, sparsity and recovery."""
    figures = {"dense": measured(dense, data), "pruned": measured(pruned, data)}
    losses = [figures[which]["val_loss"] for which in ("dense", "pruned")]
    return figures | {
        "sparsity": figures["pruned"]["sparsity"],
        "recovery": metrics.recovery(*losses),
    }


def measured(net: Network, data: Dataset) -> dict[str, Any]:
    """The summary of one network, with its latency and an estimate of its energy."""
    return metrics.summary(net, data) | {
        "latency_ms": 1e3 * latency(net, data, 1),
        "batch_latency_ms": 1e3 * latency(net, data, BATCH),
        "energy_uj": metrics.energy(metrics.count(net)).total,
    }


def latency(net: Network, data: Dataset, batch: int) -> float:
    """Median seconds from raw samples to outputs, as a user would best call it.

    A network can be called as it is, or compiled into one call; whichever is faster
    counts, for dense and for pruned networks alike.
    """
    x, lengths = data.test.x[:batch], data.test.lengths
    known = None if lengths is None else lengths[:batch]
    calls: dict[str, Callable[[], Any]] = {"called": lambda: net(x, known)}
    with contextlib.suppress(ValueError):  # a layer without a compiled form, no Numba
        compiled = sparse.compile(net, len(x))
        calls["compiled"] = lambda: compiled(x)
    return min(metrics.medians(calls, seconds=0.2).values())


def check_player(
    net: Network, data: Dataset, file: Path, player: Path
) -> metrics.Agreement:
    """Copy the single-file player beside the model and hold it to the engine.

    The copy itself is run, on the whole test split, and must stay within the rounding
    bound of the network (`minprune.metrics.rounding_bound`).
    """
    from minprune.export import player as shipped

    shutil.copyfile(shipped.__file__, player)
    alone = _module_from(player)
    x = data.test.x
    ours = net(x)
    theirs = np.asarray(alone.load(str(file))(x))
    return metrics.agreement(ours, theirs, metrics.rounding_bound(net, x))


def _module_from(path: Path) -> ModuleType:
    """A module loaded from a file, under a name of its own."""
    spec = importlib.util.spec_from_file_location("minprune_player_copy", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path}: cannot be loaded as a module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def criteria_curve(
    dense: Network, data: Dataset, recipe: Recipe, seed: int
) -> dict[str, list[tuple[float, float]]]:
    """Validation accuracy against sparsity, one-shot and without recovery."""
    loss = default_loss(data)
    start = (0.0, evaluate(dense, data.val, loss)[1])
    curve = {}
    for criterion in recipe.curve:
        points = [start]
        for sparsity in recipe.curve_sparsities:
            net = dense.copy()
            prune.OneShot(criterion, sparsity=sparsity, seed=seed).run(net, data)
            points.append((float(sparsity), evaluate(net, data.val, loss)[1]))
        curve[criterion] = points
    return curve
