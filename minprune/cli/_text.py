"""The figures of a network in words, for a person at a terminal."""

from collections.abc import Mapping
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
        f"{'bytes:':<12}{values['stored_bytes']:,} in the file, "
        f"{values['resident_bytes']:,} resident",
        f"{'work:':<12}{values['macs']:,} multiply-adds a sample",
    ]
    if "output" in values:
        lines.append(f"{'written:':<12}{values['output']}")
    return "\n".join(lines)
