"""Feature sequences as one vector a clip: statistics over equal segments of time."""

from __future__ import annotations

import numpy as np

from aqa_pipeline.batches import Clips
from aqa_pipeline.errors import InputError, nearest

STATISTICS = {"min": np.min, "mean": np.mean, "max": np.max, "sd": np.std}


def pooled(clips: Clips, *, segments: int, statistics: list[str]) -> np.ndarray:
    """(B, segments x statistics x D) float64 of all modalities of a batch."""
    for name in statistics:
        if name not in STATISTICS:
            raise InputError(f"statistics: unknown '{name}', {nearest(name, STATISTICS)}")
    columns = []
    for modality in sorted(clips.inputs):
        sequences = np.asarray(clips.inputs[modality], np.float64)  # (B, T, D)
        if sequences.shape[1] < segments:
            raise InputError(
                f"segments: found {segments} for {sequences.shape[1]} frames, expected no more than frames"
            )
        for segment in np.array_split(sequences, segments, axis=1):
            columns += [STATISTICS[name](segment, axis=1) for name in statistics]
    return np.concatenate(columns, axis=1)


def remember(segments: int, statistics: list[str]) -> dict[str, np.ndarray]:
    """The pooling as weights, for `pooled_as_fitted`."""
    return {"segments": np.array([segments]), "statistics": np.array([list(STATISTICS).index(s) for s in statistics])}


def pooled_as_fitted(clips: Clips, weights: dict[str, np.ndarray]) -> np.ndarray:
    """`pooled` as it was when the weights were fitted."""
    names = [list(STATISTICS)[number] for number in weights["statistics"]]
    return pooled(clips, segments=int(weights["segments"][0]), statistics=names)
