import math

import pytest
import torch

from aqa_pipeline.layers.masks import focal_loss


def test_what_is_nearly_right_hardly_counts():
    logits = torch.tensor([[math.log(3), -math.log(9)], [0.0, math.log(3)]])  # probabilities 3/4, 1/10, 1/2, 3/4
    mask = torch.tensor([[True, False], [True, False]])
    wrong = [1 / 4, 1 / 10, 1 / 2, 3 / 4]
    expected = sum(-math.log(1 - w) * w**2 for w in wrong) / 4
    assert focal_loss(logits, mask).item() == pytest.approx(expected)
    assert focal_loss(logits, mask, gamma=0.0).item() == pytest.approx(sum(-math.log(1 - w) for w in wrong) / 4)
