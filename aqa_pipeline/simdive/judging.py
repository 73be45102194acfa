"""How faults become marks.

Execution is 10 minus one deduction a fault: weight x (1 - exp(-(|fault| / scale) ** 1.75)), so small faults cost
little and large ones no more than the weight. Seven judges see it with a bias and a noise of their own and give marks
from 0 to 10 in halves; the middle three are added up and multiplied by the difficulty degree, as in individual diving.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aqa_pipeline.simdive.catalogue import DiveNumber
from aqa_pipeline.simdive.faults import Faults

JUDGES = 7
BIAS_SD, NOISE_SD = 0.15, 0.35  # marks
POWER = 1.75

# fault: (most points it can cost, size at which it costs 63 % of that)
DEDUCTIONS = {
    "lean": (0.4, 16.0),
    "distance": (0.2, 0.6),
    "knees": (1.2, 27.0),
    "legs_apart": (0.5, 30.0),
    "loose": (1.5, 35.0),
    "opening": (1.3, 0.16),
    "rotation": (1.6, 23.0),
    "arch": (1.2, 27.0),
    "line_knees": (1.1, 28.0),
    "arms": (0.9, 38.0),
    "twist": (0.4, 35.0),
    "toes": (0.3, 36.0),
    "splash": (0.8, 0.8),
}


@dataclass(frozen=True)
class Verdict:
    """What the judges gave, and the noise-free truth behind it."""

    judge_scores: tuple[float, ...]  # seven marks
    execution_score: float  # sum of the middle three, 0..30
    score: float  # execution_score x difficulty
    true_execution: float  # 3 x noise-free mark, 0..30


def deductions(faults: Faults) -> dict[str, float]:
    """Points taken off for each fault."""
    return {
        name: weight * (1 - float(np.exp(-((abs(value) / scale) ** POWER))))
        for name, value in faults.as_dict().items()
        for weight, scale in [DEDUCTIONS[name]]
    }


def true_mark(faults: Faults) -> float:
    """Noise-free mark, 0..10."""
    return max(0.0, 10.0 - sum(deductions(faults).values()))


def judge(faults: Faults, number: DiveNumber, rng: np.random.Generator) -> Verdict:
    """Let seven judges mark one dive."""
    mark = true_mark(faults)
    seen = mark + rng.normal(0, BIAS_SD, JUDGES) + rng.normal(0, NOISE_SD, JUDGES)
    marks = np.clip(np.round(2 * seen) / 2, 0, 10)
    execution = middle_three(marks)
    return Verdict(tuple(marks.tolist()), execution, round(execution * number.difficulty, 2), 3 * mark)


def middle_three(marks: np.ndarray) -> float:
    """Sum of the marks left when the two highest and the two lowest of seven are dropped."""
    return float(np.sort(np.asarray(marks, float))[2:5].sum())
