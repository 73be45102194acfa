"""ResNet on single frames: what FineParser's static branch sees a clip with (ResNet-34, ImageNet).

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016. The network is timm's; the names of its parameters
are torchvision's, so the weights of both fit.

Shapes: B clips of T frames of H x W pixels; C = 512 features for `resnet18` and `resnet34` at width 1.
"""

from __future__ import annotations

from aqa_pipeline import weights as stored_weights
from aqa_pipeline.errors import expect_one_of
from aqa_pipeline.layers import frame_networks
from aqa_pipeline.layers.frame_networks import FrameNetwork

NAMES = ("resnet18", "resnet34", "resnet50")
_CHANNELS = (64, 128, 256, 512)

tiny = dict(name="resnet18", width=0.05)


def build(*, name: str = "resnet34", width: float = 1.0, weights: str | None = None) -> FrameNetwork:
    """Frames (B, T, 3, H, W) to features (B, T, C).

    Parameters
    ----------
    name : one of `NAMES`
    width : factor of the channels of the four stages; only 1 fits published weights
    weights : on ImageNet, a name of the registry or a file; the classification head is left out
    """
    expect_one_of("resnet.name", name, NAMES)
    channels = tuple(max(2, round(c * width)) for c in _CHANNELS)
    network = frame_networks.create(name, channels=channels)
    if weights:
        stored_weights.fill_body(network, stored_weights.load(weights), weights, head="fc.")
    return FrameNetwork(network, network.num_features)
