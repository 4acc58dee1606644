"""A plan from the tables of a TOML file, and what is wrong with them.

What a procedure can be told is read off its signature: the names, and of which type.
"""

import functools
import operator
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from minprune._check import one_of
from minprune.files.atomic import explained
from minprune.masks import AdaptiveThreshold
from minprune.masks.count import Share, share
from minprune.nn.optim import Adam
from minprune.nn.train import Procedure
from minprune.prune.adaptive import Adaptive
from minprune.prune.admm import ADMM
from minprune.prune.channels import Channels, GradualChannels
from minprune.prune.cut import Options
from minprune.prune.edge_popup import EdgePopup
from minprune.prune.evolve import SET, SNFS, DeepR, RigL
from minprune.prune.gradual import Gradual
from minprune.prune.hard_concrete import HardConcrete
from minprune.prune.moment import Moment
from minprune.prune.movement import Movement, SoftMovement
from minprune.prune.oneshot import OneShot
from minprune.prune.phases import Phases
from minprune.prune.powerprop import Powerpropagation
from minprune.prune.regularized import GrowingPenalty, Regularized
from minprune.prune.rounds import Rounds
from minprune.prune.soft_filters import SoftFilters
from minprune.prune.soft_threshold import SoftThreshold
from minprune.prune.stage import Remove, Stage
from minprune.prune.straight_through import StraightThrough
from minprune.prune.surgery import Surgery
from minprune.prune.top_kast import TopKAST
from minprune.prune.variational import VariationalDropout

KINDS: dict[str, type[Procedure]] = {
    kind.__name__: kind
    for kind in (
        ADMM,
        SET,
        SNFS,
        Adaptive,
        DeepR,
        EdgePopup,
        Gradual,
        GradualChannels,
        GrowingPenalty,
        HardConcrete,
        Movement,
        OneShot,
        Phases,
        Powerpropagation,
        Regularized,
        RigL,
        Rounds,
        SoftFilters,
        SoftMovement,
        SoftThreshold,
        StraightThrough,
        Surgery,
        TopKAST,
        VariationalDropout,
    )
}
"""The procedures that a file may name."""

ONLY_IN_PYTHON = {
    "TaskShot": "needs the heads and losses of its tasks, which no file can name; "
    "write the plan in Python",
    "Undo": "has nothing to keep in a plan, which leaves the network it is given as it "
    "is; go back to that one",
}
"""The other procedures, and why they are not for a file."""

PARTS: dict[str, type[Any]] = {"channels": Channels, "ramp": AdaptiveThreshold}
"""Arguments of procedures that are tables of their own."""

PLAN: dict[str, Any] = {"training": dict, "stage": list}
TRAINING: dict[str, Any] = {
    "batch_size": int,
    "lr": float,
    "weight_decay": float,
    "seed": int,
}
STAGE: dict[str, Any] = {
    "name": str,
    "remove": dict,
    "procedures": list,
    "epochs": int,
    "sparse": bool,
}


def read(path: str | os.PathLike[str]) -> tuple[list[Stage], dict[str, Any]]:
    """The stages in a file, and the keyword arguments of their training."""
    try:
        with open(path, "rb") as file:
            return parse(tomllib.load(file))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        raise ValueError(f"this is no TOML: {why}") from why
    except OSError as why:
        raise explained(why, f"{path} cannot be read") from why


def parse(table: Mapping[str, Any]) -> tuple[list[Stage], dict[str, Any]]:
    """The same from the tables of a file."""
    _known("plan", "table", table, PLAN)
    if not table.get("stage"):
        raise ValueError("plan: there are no stages; expected a [[stage]] at least")
    training = dict(table.get("training", {}))
    _known("plan, [training]", "key", training, TRAINING)
    how = {key: training.pop(key) for key in ("lr", "weight_decay") if key in training}
    training["optimizer"] = _made("plan, [training]", Adam, how)
    return [_stage(i, one) for i, one in enumerate(table["stage"], 1)], training


def _stage(number: int, table: Any) -> Stage:
    """A stage from its table."""
    where = f"plan, stage {number}"
    _known(where, "key", _table(where, "stage", table), STAGE)
    remove = table.get("remove")
    return Stage(
        table.get("name", f"stage {number}"),
        None if remove is None else _removal(where, dict(remove)),
        [_procedure(where, one) for one in table.get("procedures", ())],
        table.get("epochs", 0),
        table.get("sparse", False),
    )


def _procedure(where: str, table: Any) -> Procedure:
    """A procedure from its table, which names its kind."""
    how = dict(_table(where, "a procedure", table))
    name = how.pop("kind", "")
    if name in ONLY_IN_PYTHON:
        raise ValueError(f"{where}: {name} {ONLY_IN_PYTHON[name]}")
    kind = KINDS[one_of(where, "kind", name, KINDS)]
    made: Procedure = _made(f"{where}, {kind.__name__}", kind, how)
    return made


def _removal(where: str, how: dict[str, Any]) -> Remove:
    """Units to take out, from their table."""
    if "sparsity" not in how:
        raise ValueError(f"{where}: remove has no sparsity; expected one, such as 0.5")
    sparsity = how.pop("sparsity")
    share(where, sparsity)
    return Remove(_made(f"{where}, remove", Channels, how), sparsity)


def _made(where: str, kind: type[Any], how: dict[str, Any]) -> Any:
    """An object from its keyword arguments, each of which it has to know."""
    hints = get_type_hints(kind.__init__)
    del hints["return"]
    if hints.pop("how", None):
        hints |= get_type_hints(Options)
    for part in PARTS.keys() & how.keys() & hints.keys():
        table = dict(_table(where, part, how[part]))
        how[part] = _made(f"{where}, {part}", PARTS[part], table)
    _known(where, "key", how, hints)
    if "block" in how:
        how["block"] = tuple(how["block"])
    try:
        return kind(**how)
    except (TypeError, ValueError) as why:
        raise ValueError(f"{where}: {why}") from why


def _table(where: str, what: str, value: Any) -> Mapping[str, Any]:
    """The value, if it is a table."""
    if not isinstance(value, dict):
        raise ValueError(f"{where}: {what} is {value!r}; expected a table")
    return value


def _known(
    where: str, what: str, table: Mapping[str, Any], hints: Mapping[str, Any]
) -> None:
    """Refuse a key that is not known, or whose value is of another type."""
    for key, value in table.items():
        hint = hints[one_of(where, what, key, hints)]
        if not _is(value, hint):
            raise ValueError(f"{where}: {key} is {value!r}; expected {_said(hint)}")


def _is(value: Any, hint: Any) -> bool:
    """Whether a value of a file is of a type; 1 is a number like 1.0."""
    kind, inside = get_origin(hint), get_args(hint)
    if hint is float:
        return type(value) in (int, float)
    if kind is Literal:
        return value in inside
    if kind is Iterable:
        return isinstance(value, list) and all(_is(one, inside[0]) for one in value)
    if kind is tuple:
        return (
            isinstance(value, list)
            and len(value) == len(inside)
            and all(map(_is, value, inside))
        )
    if kind is Mapping:
        return isinstance(value, dict) and all(
            _is(one, inside[1]) for one in value.values()
        )
    if kind is Callable:
        return False
    if inside:
        return any(_is(value, one) for one in inside)
    return hint is Any or type(value) is hint


WORDS = {
    float: "a number",
    int: "a whole number",
    str: "text",
    bool: "true or false",
    list: "a list",
    Share: "a share, such as 0.9",
    Moment: "a number of steps, or a share of them, such as 0.5",
}


def _said(hint: Any) -> str:
    """What is expected, in words."""
    if hint in WORDS:
        return WORDS[hint]
    kind, inside = get_origin(hint), [a for a in get_args(hint) if a is not NoneType]
    if kind is Literal:
        return " or ".join(repr(one) for one in inside)
    if kind is Iterable:
        return f"a list, each entry {_said(inside[0])}"
    if kind is tuple:
        return f"a list of {len(inside)}, each {_said(inside[0])}"
    if kind is Callable:
        return "a function, which no file can name; leave it out"
    if inside and kind is not Mapping:
        whole = functools.reduce(operator.or_, inside)  # the union without None
        return " or ".join(map(_said, inside)) if whole == hint else _said(whole)
    return "a table"
