"""Step boundary error: how far the predicted transitions between steps lie from the true ones, in frames of 96."""

from __future__ import annotations

import numpy as np

from aqa_pipeline.metrics import _weighted

of = "transitions"
family = "mean"
better = "lower"


def step_boundary_error(
    predicted: np.ndarray, true: np.ndarray, *, weights: np.ndarray | None = None
) -> np.ndarray | float:
    """Mean of |predicted - true| over both transitions and all clips, in positions on the 96 sampled frames.

    Parameters
    ----------
    predicted, true : (N, 2); `predicted` may be (S, N, 2)
    weights : (draws, N), optional

    Returns
    -------
    float or (draws,)
        0 or more; NaN without a clip, or where a transition is unknown. AIoU alone hides which clips are just above its
        threshold; a constant prediction at FineDiving's training means is off by their mean absolute deviation.
    """
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    assert predicted.shape[-2:] == true.shape == (len(true), 2), (predicted.shape, true.shape)
    return _weighted.mean(np.abs(predicted - true).mean(axis=-1), weights)
