"""How far two training clips lie apart: the leaves of a group-aware regression tree, each with as many pairs.

Source: Yu et al., Group-aware contrastive regression (CoRe), ICCV 2021: sixteen leaves, the eight of positive
differences are listed and the others mirror them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aqa_pipeline.audit import Finding, Subject

needs = {"parts"}

LEAVES = 8
LIMIT = {"execution": 30.0, "score": 100.0}  # right end of the last leaf in CoRe


def check(subject: Subject) -> Iterator[Finding]:
    """Pairs and edges: same difficulty (execution), same type (execution and score), any pair (score)."""
    if len(subject.splits) != 1:
        return
    rows = subject.splits[0].train
    any_pair = np.zeros(len(subject.samples), int)
    settings = [("any", "score", any_pair)]
    if subject.knows("action_type"):
        settings = [("same_type", "score", _numbered(subject.samples["action_type"])), *settings]
    if subject.knows("difficulty"):
        by_difficulty = ("same_difficulty", "execution", _numbered(subject.samples["difficulty"]))
        by_type = [("same_type", "execution", kinds) for word, _, kinds in settings if word == "same_type"]
        settings = [by_difficulty, *by_type, *settings]
    for word, target, kinds in settings:
        values = subject.execution if target == "execution" else subject.score
        found = differences(values[rows], kinds[rows])
        if len(found):
            limits = edges(found, LIMIT[target])
            name = f"{word}_{target}"
            yield Finding(f"{name}.pairs", len(found))
            for number, edge in enumerate(limits):
                yield Finding(f"{name}.edge_{number}", edge)
            beyond = int((found >= LIMIT[target]).sum())
            note = f"beyond: differences of {LIMIT[target]:g} or more, which no leaf holds"
            yield Finding(f"{name}.beyond", beyond, len(found), warning=beyond > 0, note=note)


def differences(values: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """|differences| of all unordered pairs of one kind, sorted; values and kinds (N,), kind -1 pairs with nobody."""
    found = []
    for kind in np.unique(kinds[kinds >= 0]):
        of_kind = values[(kinds == kind) & np.isfinite(values)]
        first, second = np.triu_indices(len(of_kind), k=1)
        found.append(np.abs(of_kind[first] - of_kind[second]))
    return np.sort(np.concatenate(found)) if found else np.zeros(0)


def edges(sorted_differences: np.ndarray, limit: float, leaves: int = LEAVES) -> np.ndarray:
    """Edges of the positive leaves (leaves + 1,): from 0 to `limit`, between them every `leaves`-th of the pairs."""
    places = [int(i / leaves * (len(sorted_differences) - 1)) for i in range(1, leaves)]
    return np.array([0.0, *sorted_differences[places], limit])


def _numbered(column) -> np.ndarray:
    import pandas as pd

    return pd.factorize(column)[0]  # -1 where nothing is known
