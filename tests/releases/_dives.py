"""Made-up dives that two releases may hold: the same seed, video and number give the same dive."""

from __future__ import annotations

import numpy as np

TYPES = {  # dive number: difficulty, direction, armstand, half somersaults, half twists, position
    "107b": (3.0, 1, 0, 7, 0, "b"),
    "205b": (2.9, 2, 0, 5, 0, "b"),
    "307c": (3.4, 3, 0, 7, 0, "c"),
    "407c": (3.2, 4, 0, 7, 0, "c"),
    "5152b": (2.9, 1, 0, 5, 2, "b"),
    "5253b": (3.2, 2, 0, 5, 3, "b"),
    "5231d": (2.0, 2, 0, 3, 1, "d"),
    "6243d": (3.2, 2, 1, 4, 3, "d"),
    "626c": (3.3, 2, 1, 6, 0, "c"),
}


def dive(seed: int, video: int, number: int, n_judges: int = 7, kind: str | None = None) -> dict:
    """Frames, dive number and parts, difficulty, judges, and the score that the rules make of them."""
    rng = np.random.default_rng([seed, video, number])
    kind = kind or str(rng.choice(sorted(TYPES)))
    difficulty, direction, armstand, half_somersaults, half_twists, position = TYPES[kind]
    end = 130 * (number % 100 + 1) + int(rng.integers(0, 10))
    marks = np.clip(np.round(2 * (rng.uniform(4, 9) + rng.normal(0, 0.4, n_judges))) / 2, 0, 10)
    chosen = np.sort(marks)[2:5] if n_judges == 7 else marks
    share = 0.6 if n_judges == 5 else 1.0
    return dict(
        start=end - int(rng.integers(12, 20)),
        end=end,
        kind=kind,
        difficulty=difficulty,
        direction=direction,
        armstand=armstand,
        half_somersaults=half_somersaults,
        half_twists=half_twists,
        position=position,
        marks=marks.tolist(),
        score=round(float(share * chosen.sum() * difficulty), 2),
    )
