"""The picture networks: shapes, gradients, the same seed gives the same weights."""

import pytest
import torch

from aqa_pipeline.backbones import centre_net, heatmap_net

B = 2


def test_centre_net_answers_a_map_of_cells():
    maps = centre_net.build(**centre_net.tiny)(torch.randn(B, 3, 32, 48))
    assert {name: tuple(answer.shape) for name, answer in maps.items()} == {
        "centre": (B, 8, 12),
        "offset": (B, 2, 8, 12),
        "size": (B, 2, 8, 12),
    }


def test_heatmap_net_answers_a_map_a_keypoint_and_whether_it_is_anywhere():
    model = heatmap_net.build(**heatmap_net.tiny)
    crops = torch.randn(B, 3, 64, 64)
    cells, nowhere = model(crops)
    assert cells.shape == (B, 5, 16, 16)
    assert nowhere.shape == (B, 5)
    assert model.encode(crops).shape == (B, model.dim)


@pytest.mark.parametrize(("module", "shape"), [(centre_net, (32, 48)), (heatmap_net, (64, 64))])
def test_every_weight_gets_a_gradient(module, shape):
    model = module.build(**module.tiny)
    answer = model(torch.randn(B, 3, *shape))
    sum((part**2).sum() for part in (answer.values() if isinstance(answer, dict) else answer)).backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def test_default_sizes_stay_small():
    count = {
        name: sum(p.numel() for p in m.parameters())
        for name, m in {
            "detector": centre_net.build(),
            "whole_body": heatmap_net.build(n_keypoints=133),
        }.items()
    }
    assert count["detector"] < 0.3e6
    assert count["whole_body"] < 1e6
