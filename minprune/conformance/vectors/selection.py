"""Questions of chapter M: who goes."""

from collections.abc import Iterator

import numpy as np

from minprune._check import BoolArray
from minprune.conformance import definition
from minprune.conformance.vectors._vector import Rng, Vector, numbers, vector


def select(rng: Rng) -> Iterator[Vector]:
    """One layer: sizes, sparsities and ties where toolkits part."""
    for size in (1, 2, 5, 7, 10, 64, 100):
        for sparsity in (0.0, 0.05, 0.29, 0.3, 0.5, 0.57, 0.7, 0.9, 0.95, 1.0):
            for score in (numbers(rng, size), rng.integers(3, size=size) * 1.0):
                given = {"scores": score, "sparsity": sparsity}
                mask = definition.mask({"w": score}, sparsity, "layer")["w"]
                yield vector("select", "M.1 M.2 M.3 M.8", given) | {"mask": mask}


def select_again(rng: Rng) -> Iterator[Vector]:
    """One layer of which something is gone already."""
    for size in (7, 10, 64):
        for first, then in ((0.0, 0.3), (0.3, 0.3), (0.29, 0.57), (0.5, 1.0)):
            for score in (numbers(rng, size), rng.integers(3, size=size) * 1.0):
                previous = definition.mask({"w": score}, first, "layer")["w"]
                risen = rng.permutation(score)  # so that what is gone may rank high
                given = {"scores": risen, "sparsity": then, "previous": previous}
                mask = definition.again(risen, then, previous)
                yield vector("select_again", "M.1 M.2 M.5", given) | {"mask": mask}


def select_network(rng: Rng) -> Iterator[Vector]:
    """Two layers that compete, with floors."""
    for floor in (0, 1, 2):
        for sparsity in (0.1, 0.3, 0.5, 0.75):
            for ties in (False, True):
                scores = [numbers(rng, 6), 2 + numbers(rng, 14)]
                if ties:
                    scores = [np.round(score) + 0.0 for score in scores]
                named = {str(i): score for i, score in enumerate(scores)}
                masks = definition.mask(named, sparsity, "network", floor)
                given = {"scores": scores, "sparsity": sparsity, "min_keep": floor}
                found = {"masks": list(masks.values())}
                yield vector("select_network", "M.1 M.2 M.3 M.4", given) | found


def select_groups(rng: Rng) -> Iterator[Vector]:
    """Layers that compete in groups only."""
    for groups in ([[0, 2], [1, 3]], [[0], [1, 2, 3]]):
        for sparsity in (0.3, 0.5):
            scores = [numbers(rng, size) for size in (6, 9, 4, 11)]
            masks: dict[str, BoolArray] = {}
            for group in groups:
                named = {str(i): scores[i] for i in group}
                masks |= definition.mask(named, sparsity, "network", 1)
            given = {"scores": scores, "groups": groups, "sparsity": sparsity}
            found = {"masks": [masks[str(i)] for i in range(len(scores))]}
            yield (
                vector("select_groups", "M.1 M.4 M.6", given | {"min_keep": 1}) | found
            )


def threshold(rng: Rng) -> Iterator[Vector]:
    """Thresholds that scores may equal."""
    for size in (5, 8, 11):
        score = rng.integers(-4, 5, size) / 2.0
        for rule in ("at_least", "above"):
            for value in (-1.0, 0.0, 0.5, 9.0):
                given = {"rule": rule, "scores": score, "value": value}
                mask = definition.threshold(rule, score, value)
                yield vector("threshold", "M.9", given) | {"mask": mask}
        for level in (0.0, 0.25, 0.3, 0.5, 1.0):
            given = {"rule": "at_quantile", "scores": score, "value": level}
            mask = definition.threshold("at_quantile", score, level)
            yield vector("threshold", "M.9", given) | {"mask": mask}
