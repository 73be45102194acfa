"""Rare action types: a test clip whose type hardly trains gets few exemplars, and its vote is a guess.

The same is asked of exemplars of equal difficulty. Ten is the number of exemplars that the field lets vote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from aqa_pipeline.audit import Detail, Finding, Subject

needs = {"action_type", "parts"}

ENOUGH = 10  # exemplars vote in CoRe and its successors


def check(subject: Subject) -> Iterator[Finding | Detail]:
    """Types and difficulties with few training clips, and the test clips they leave with few exemplars."""
    types = subject.samples["action_type"].astype(object).where(subject.samples["action_type"].notna(), None)
    yield from _rare(subject, types.to_numpy(), "action_type")
    if subject.knows("difficulty"):
        levels = [None if np.isnan(value) else f"{value:g}" for value in subject.difficulty]
        yield from _rare(subject, np.array(levels, object), "difficulty")
    for name in sorted(set(types) - {None}):
        of_type = (types == name).to_numpy()
        counts = ", ".join(f"{(of_type & rows).sum()} {suffix[1:] or 'clips'}" for suffix, rows in subject.of_parts())
        seen = sorted({value for value in subject.difficulty[of_type] if np.isfinite(value)})
        yield Detail("", name, counts + (f"; difficulty {', '.join(f'{d:g}' for d in seen)}" if seen else ""))


def _rare(subject: Subject, kinds: np.ndarray, word: str) -> Iterator[Finding | Detail]:
    few, once, missing = set(), set(), set()
    voting: list[tuple[int, int]] = []  # test row and its exemplars
    for fold in subject.splits:
        training, tested = Counter(kinds[fold.train]), Counter(kinds[fold.test])
        few |= {kind for kind, clips in training.items() if kind is not None and clips < ENOUGH}
        once |= {kind for kind, clips in training.items() if kind is not None and clips == 1}
        missing |= {kind for kind in tested if kind is not None and kind not in training}
        voting += [(row, training[kinds[row]]) for row in fold.test if kinds[row] is not None]
    short = [(row, n) for row, n in voting if n < ENOUGH]
    n_kinds = len(set(kinds) - {None})
    yield Finding(f"{word}.few_in_training", len(few), n_kinds, note=f"few: fewer than {ENOUGH} training clips")
    yield Finding(f"{word}.once_in_training", len(once), n_kinds, note=_listed("once", once))
    yield Finding(
        f"{word}.missing_in_training", len(missing), n_kinds, warning=bool(missing), note=_listed("missing", missing)
    )
    note = f"fewer than {ENOUGH} exemplars of equal {word}"
    yield Finding(f"{word}.test_clips_short_of_exemplars", len(short), len(voting), warning=bool(short), note=note)
    for row, n in short:
        yield Detail(subject.samples["video_id"][row], kinds[row], f"{n} exemplars of equal {word}")


def _listed(word: str, names: set) -> str:
    return f"{word}: {', '.join(sorted(map(str, names)))}" if names else ""
