"""Chapter S: the sparsity at a step, and a threshold that feels its way."""

from fractions import Fraction
from math import cos, pi


def schedule(
    curve: str,
    step: int,
    final: float,
    begin: int,
    end: int,
    frequency: int,
    initial: float,
) -> float:
    """S.1 to S.4; "constant" is final from the beginning."""
    if step < begin:
        return 0.0
    if step >= end:
        return final
    last = begin + (step - begin) // frequency * frequency
    t = (last - begin) / (end - begin)
    if curve == "linear":
        return initial + (final - initial) * t
    if curve == "cubic":
        return final + (initial - final) * (1 - t) ** 3
    if curve == "constant":
        return final
    if curve == "cosine":
        return initial + (final - initial) * (1 - cos(pi * t)) / 2
    ratio = (1 - final) / (1 - initial)
    return 1 - (1 - initial) * float(ratio**t)


def geometric(rate: float, step: int, rounds: int, begin: int, frequency: int) -> float:
    """S.5: a share of what is left goes in every round."""
    done = min(max((step - begin) // frequency, 0), rounds)
    return float(1 - (1 - Fraction(str(rate))) ** done)


def moves(
    looks: list[tuple[float, float]], calm: float, rough: float, tolerance: float
) -> list[str]:
    """S.6: what each look at a gradient's norm and a validation score calls for."""
    made = []
    for at, (norm, score) in enumerate(looks):
        best = max([s for _, s in looks[:at]], default=score)
        last = looks[at - 1][0] if at else None
        if score < best - tolerance:
            made.append("lower")
        elif last is None:
            made.append("hold")
        elif abs(norm - last) <= calm * last:
            made.append("raise")
        else:
            made.append("lower" if abs(norm - last) > rough * last else "hold")
    return made
