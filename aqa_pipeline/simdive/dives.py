"""One dive of the simulated data set, drawn by seed and index alone, so shards and sizes do not change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aqa_pipeline.simdive import catalogue, faults, flight, judging
from aqa_pipeline.simdive.body import draw_body

_STREAMS = {"motion": 0, "judges": 1, "pictures": 2}


@dataclass(frozen=True)
class Dive:
    """A dive number, its diver's skill (standard normal), its motion with the faults, and what the judges gave."""

    seed: int
    index: int
    number: catalogue.DiveNumber
    skill: float
    performance: flight.Performance
    verdict: judging.Verdict

    @property
    def video_id(self) -> str:
        return f"dive_{self.seed}_{self.index:05d}"


def stream(seed: int, index: int, name: str) -> np.random.Generator:
    """The generator of one purpose (motion, judges, pictures) for one dive."""
    return np.random.default_rng([seed, index, _STREAMS[name]])


def draw_dive(seed: int, index: int, *, inject: Mapping[str, float] = {}, other_faults: float = 1.0) -> Dive:
    """Dive `index` of seed `seed`: the same whatever else is drawn.

    With `inject` and `other_faults` it is the same dive by the same diver with other faults: see `faults.injected`.
    """
    rng = stream(seed, index, "motion")
    number = catalogue.draw(rng)
    skill = float(rng.normal())
    latent = faults.injected(faults.draw(rng, number, skill), number, inject, others=other_faults)
    performance = flight.perform(number, latent, rng, draw_body(rng))
    verdict = judging.judge(latent, number, stream(seed, index, "judges"))
    return Dive(seed, index, number, skill, performance, verdict)
