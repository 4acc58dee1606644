"""Known failures, recorded with a reason and strict both ways.

A toolkit keeps them beside its tests, in ``minprune-conformance.toml``::

    [[expected]]
    check = "count_is_exact"
    reason = "int(sparsity * size) truncates"
    url = "https://example.org/issues/7"    # optional
    version = "<2.0"                        # optional: versions that the record is for

A recorded check that fails is ``expected``; one that passes is ``fixed``, and the run
is not good until the record is gone. For other versions a record says nothing.
"""

import operator
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

from minprune._check import one_of
from minprune.conformance import CHECKS

KEYS = ("check", "reason", "url", "version")
COMPARISONS: dict[str, Callable[[list[int], list[int]], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def load(path: str | Path, version: str) -> dict[str, str]:
    """The reasons recorded for one version of a toolkit, by check.

    Parameters
    ----------
    path : str or Path
        The TOML file.
    version : str
        Of the toolkit, as its adapter says.

    Raises
    ------
    ValueError
        If the file is no TOML, or a record has an unknown key or check, no reason, a
        version that cannot be read, or a check that is recorded already.
    """
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        raise ValueError(f"conformance: {path} is no TOML file: {why}") from why
    records = found.pop("expected", [])
    if found or not isinstance(records, list):
        raise ValueError(
            f"conformance: {path} holds {sorted(found) or 'one [expected]'}; expected "
            f"nothing but [[expected]] records"
        )
    reasons: dict[str, str] = {}
    for number, record in enumerate(records):
        where = f"conformance: {path}, record {number}"
        for key, value in record.items():
            one_of(where, "key", key, KEYS)
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"{where}: {key} is {value!r}; expected words")
        for key in ("check", "reason"):
            if key not in record:
                raise ValueError(f"{where} has no {key}")
        name = one_of(where, "check", record["check"], CHECKS)
        if not applies(where, record.get("version", ""), version):
            continue
        if name in reasons:
            raise ValueError(f"{where}: {name} is recorded twice for {version}")
        url = f" ({record['url']})" if "url" in record else ""
        reasons[name] = record["reason"] + url
    return reasons


def applies(where: str, wanted: str, version: str) -> bool:
    """Whether a version lies in a range such as ``>=1.2,<2``.

    The leading whole numbers of versions are compared, and what one of them lacks
    counts as zero.

    >>> applies("", ">=1.2,<2", "1.10.0+cpu"), applies("", "==2", "2.0")
    (True, True)
    """
    for part in filter(None, wanted.replace(" ", "").split(",")):
        match = re.fullmatch(r"(<=|>=|==|!=|<|>)(\d+(?:\.\d+)*)", part)
        if match is None:
            raise ValueError(
                f"{where}: version {wanted!r} cannot be read; expected comparisons "
                f"such as '>=1.2,<2'"
            )
        pair = _numbers(version), _numbers(match[2])
        length = max(map(len, pair))
        a, b = (numbers + [0] * (length - len(numbers)) for numbers in pair)
        if not COMPARISONS[match[1]](a, b):
            return False
    return True


def _numbers(version: str) -> list[int]:
    """1.10.0+cpu as [1, 10, 0]."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    return [int(part) for part in match[0].split(".")] if match else []
