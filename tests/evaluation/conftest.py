"""Made-up predictions whose quality is chosen."""

import numpy as np
import pytest

from aqa_pipeline.evaluation.predictions import Predictions


@pytest.fixture
def made():
    """Predictions of n videos in n_folds folds and n_seeds seeds; `noise` is the error's share of the spread."""

    def make(noise, *, n=60, n_folds=3, n_seeds=2, seed=0, over_folds="pool"):
        truth = np.random.default_rng(99)  # the same videos whatever the system
        difficulty, mark = truth.uniform(2, 4, n), truth.normal(22, 3, n)
        steps = np.stack([truth.uniform(10, 40, n), truth.uniform(50, 90, n)], axis=1)
        rng = np.random.default_rng(seed)
        predicted = mark + noise * 3 * rng.normal(size=(n_seeds, n))
        return Predictions(
            video_ids=np.array([f"v{i:03d}" for i in range(n)]),
            fold=np.arange(n) % n_folds,
            seeds=tuple(range(n_seeds)),
            score=mark * difficulty,
            predicted_score=predicted * difficulty,
            mark=mark,
            predicted_mark=predicted,
            transitions=steps,
            predicted_transitions=steps + noise * rng.normal(0, 25, size=(n_seeds, n, 2)),
            over_folds=over_folds,
        )

    return make
