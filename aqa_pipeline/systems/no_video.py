"""The floor: what is known before the athlete moves. Mean of the action type on the training part; no picture is read.

Learnt on the execution score it predicts difficulty x mean execution. The plain mean of a rare type is poor, so each is
drawn to the mean of all as if `pseudo` more clips had scored that: the plain one would be an easy floor that flatters
every system above it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aqa_pipeline.batches import Clips, Facts

needs = set()


def fit(train: Clips, facts: Facts, *, pseudo: float = 4.0) -> dict[str, np.ndarray]:
    """Mean of each action type, shrunk; the last entry is the mean of all, for types never seen.

    Parameters
    ----------
    pseudo : clips with the mean of all that every type is drawn to
    """
    target, kind = np.asarray(train.target, np.float64), np.asarray(train.action_type)
    overall = target.mean()
    of_type = [target[kind == number] for number in range(len(facts.action_types))]
    means = [(values.sum() + pseudo * overall) / (len(values) + pseudo) for values in of_type]
    return {"means": np.array([*means, overall])}


def predict(weights: Mapping[str, np.ndarray], test: Clips) -> np.ndarray:
    """Predicted target (N,); type -1 takes the last entry."""
    return weights["means"][np.asarray(test.action_type)]
