"""RegNetY-200MF with gated shifts: a small picture network that looks one frame back and ahead in each of its blocks.

What MCoRe and HP-MCoRe see single frames with; from Hong et al., "Spotting Temporally Precise, Fine-Grained Events in
Video", ECCV 2022. Radosavovic et al., "Designing Network Design Spaces", CVPR 2020, describe the network (timm's
`regnety_002`: 1, 1, 4, 7 blocks of 24, 56, 152, 368 channels), `layers/gated_shift.py` the shift, which stands before
the first convolution of every block and leaves the way around the block alone.

Shapes: B clips of T frames of H x W pixels; C = 368 features at width 1.
"""

from __future__ import annotations

from torch import nn

from aqa_pipeline import weights as stored_weights
from aqa_pipeline.layers import frame_networks
from aqa_pipeline.layers.frame_networks import FrameNetwork
from aqa_pipeline.layers.gated_shift import GatedShift
from aqa_pipeline.layers.normalisation import frozen_batch_norm

tiny = dict(n_frames=5, width=0.2)


def build(*, n_frames: int, width: float = 1.0, weights: str | None = None, frozen: bool = True) -> FrameNetwork:
    """Frames (B, n_frames, 3, H, W) to features (B, n_frames, C).

    Parameters
    ----------
    n_frames : of every clip; the shift has to know where a clip ends
    width : factor of the channels, which stay multiples of 8; only 1 fits published weights
    weights : of `regnety_002` on ImageNet, a name of the registry or a file; the classification head is left out
    frozen : batch normalisations, those of the shifts too, keep the statistics they have, as in the released systems
    """
    network = frame_networks.create(
        "regnety_002",
        w0=8 * max(1, round(3 * width)),  # 24; channels of a block are w0 + 36.44 x its number, rounded
        wa=36.44 * width,
        stem_width=4 * max(1, round(8 * width)),  # 32
    )
    if weights:
        stored_weights.fill_body(network, stored_weights.load(weights), weights, head="head.fc.")
    for stage in (network.s1, network.s2, network.s3, network.s4):
        for block in stage.children():
            shift = GatedShift(block.conv1.conv.in_channels, n_frames=n_frames)
            block.conv1 = nn.Sequential(shift, block.conv1)
    model = FrameNetwork(network, network.num_features, n_frames=n_frames)
    return frozen_batch_norm(model) if frozen else model
