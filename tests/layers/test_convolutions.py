"""Folding normalisation into convolutions changes the structure, not the answer."""

import torch
from torch import nn

from aqa_pipeline.backbones import heatmap_net
from aqa_pipeline.layers import convolutions


def trained(model):
    """Give every normalisation statistics that differ from the identity."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(torch.randn(module.num_features, generator=generator))
            module.running_var.copy_(0.5 + torch.rand(module.num_features, generator=generator))
            module.weight.data.copy_(0.5 + torch.rand(module.num_features, generator=generator))
    return model.eval()


def test_folded_gives_the_same_answer_without_normalisation():
    model = trained(heatmap_net.build(**heatmap_net.tiny))
    crops = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    light = convolutions.folded(model)
    with torch.inference_mode():
        torch.testing.assert_close(light(crops), model(crops), atol=1e-4, rtol=1e-4)  # both parts of the answer
    assert not any(isinstance(module, nn.BatchNorm2d) for module in light.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())  # the original is untouched
