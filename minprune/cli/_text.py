"""The figures of a network in words, for a person at a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any


def figures(values: Mapping[str, Any]) -> str:
    """One line a figure."""
    lines = []
    for split in ("val", "test"):
        loss = values[f"{split}_loss"]
        if values[f"{split}_accuracy"] is not None:
            score = f"accuracy {values[f'{split}_accuracy']:.4f}"
        else:
            score = f"RMSE {values[f'{split}_rmse']:.6g}"
        lines.append(f"{split + ':':<12}{score}, loss {loss:.4f}")
    kept, total = values["weights"], values["weights_total"]
    lines += [
        f"{'weights:':<12}{kept:,} of {total:,} kept, sparsity "
        f"{values['sparsity']:.4f}",
        f"{'bytes:':<12}{values['stored_bytes']:,} of arrays in the file, "
        f"{values['resident_bytes']:,} resident",
        f"{'work:':<12}{values['macs']:,} multiply-adds a sample",
    ]
    if "output" in values:
        lines.append(f"{'written:':<12}{values['output']}")
    return "\n".join(lines)


def stages(records: Sequence[Mapping[str, Any]]) -> str:
    """What each stage of a plan has done, one line a stage."""
    lines = []
    for record in records:
        before, after = record["before"], record["after"]
        changes = [
            f"{before[key]:,} -> {after[key]:,} {name}"
            for key, name in (
                ("kept", "weights"),
                ("bytes", "bytes"),
                ("macs", "multiply-adds"),
            )
        ]
        score = f"validation {before['val_score']:.4f} -> {after['val_score']:.4f}"
        lines.append(f"{record['stage']}: {', '.join([*changes, score])}")
    return "\n".join(lines)


def turns(attempts: Sequence[Mapping[str, Any]], met: bool) -> str:
    """What each turn of pruning and recovering came to, and whether it was enough."""
    lines = [
        f"turn {number}: sparsity {turn['sparsity']:.4f}, {turn['bytes']:,} bytes, "
        f"{turn['macs']:,} multiply-adds, validation {turn['score']:.4f}"
        f"{'' if turn['kept'] else ', taken back'}"
        for number, turn in enumerate(attempts, 1)
    ]
    if not met:
        lines.append(
            "not met: the budget was not reached within the drop; allow more of a "
            "drop, a larger budget, or more --epochs of recovery"
        )
    return "\n".join(lines)
