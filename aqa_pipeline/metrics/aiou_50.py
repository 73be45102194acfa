"""AIoU@0.50: how often the steps of an action are found where they are, in percent of the clips."""

from __future__ import annotations

import numpy as np

from aqa_pipeline.metrics import _overlap

of = "transitions"
family = "mean"
better = "higher"


def aiou_50(predicted: np.ndarray, true: np.ndarray, *, weights: np.ndarray | None = None) -> np.ndarray | float:
    """Percent of clips whose intervals between both transitions overlap by half or more; see `_overlap`.

    Source: Xu et al., FineDiving, CVPR 2022, section 5.1, where a clip has one interval. A constant pair of transitions
    already has 78.5 on FineDiving: read it beside such a floor.
    """
    return _overlap.percent_found(predicted, true, 0.50, weights)
