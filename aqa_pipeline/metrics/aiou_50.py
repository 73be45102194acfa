"""AIoU@0.50: how often the steps of an action are found where they are, in percent of the clips."""

from __future__ import annotations

import numpy as np

from aqa_pipeline import transitions
from aqa_pipeline.metrics import _weighted

of = "transitions"
family = "mean"


def aiou_50(predicted: np.ndarray, true: np.ndarray, *, weights: np.ndarray | None = None) -> np.ndarray | float:
    """100 times the share of clips whose intervals between both transitions overlap by at least 0.50.

    Parameters
    ----------
    predicted, true : (N, 2) positions on the 96 frames
    weights : (draws, N), optional

    Returns
    -------
    float or (draws,)
        In 0..100; NaN without a clip, or where a transition is unknown.

    Source: Xu et al., FineDiving, CVPR 2022, section 5.1, where a clip has one interval. A constant pair
    of transitions already has 78.5 at 0.5 and 32.4 at 0.75 on FineDiving: read it beside such a floor.
    """
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    assert predicted.shape[-2:] == true.shape == (len(true), 2), (predicted.shape, true.shape)
    overlap = transitions.iou(predicted, true)
    return 100 * _weighted.mean(np.where(np.isnan(overlap), np.nan, overlap >= 0.50), weights)
