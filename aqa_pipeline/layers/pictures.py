"""Pixels as networks want them, made where the network computes: bytes are a quarter of what floats cost to carry."""

from __future__ import annotations

import torch
from torch import Tensor

from aqa_pipeline.errors import expect_one_of

# Mean and standard deviation of red, green and blue in 0 .. 1.
PIXELS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),  # of the training pictures of ImageNet
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),  # -1 .. 1
    "c3d_ucf101": ((104 / 255, 117 / 255, 128 / 255), (1 / 255, 1 / 255, 1 / 255)),  # bytes, as mmaction2's C3D
    "c3d": ((102 / 255, 98 / 255, 90 / 255), (1 / 255, 1 / 255, 1 / 255)),  # the means of Sports-1M taken off, as bytes
}
BLUE_FIRST = ("c3d",)  # as OpenCV gives pictures to Caffe


def normalised(frames: Tensor, *, pixels: str) -> Tensor:
    """RGB frames (B, T, 3, H, W) uint8 to float32 on the same device, less the mean and over the standard deviation.

    `pixels`: "imagenet" as networks trained on ImageNet want it, "symmetric" for -1 .. 1, "c3d" for bytes less their
    means with blue first, as Caffe's C3D wants it, "c3d_ucf101" as the weights of that name do. InputError for another
    word.
    """
    expect_one_of("pixels", pixels, PIXELS)
    assert frames.dtype == torch.uint8, frames.dtype
    assert frames.shape[-3] == 3, frames.shape
    mean, deviation = (torch.tensor(v, device=frames.device)[:, None, None] * 255 for v in PIXELS[pixels])
    found = frames.float().sub_(mean).div_(deviation)
    return found.flip(dims=[-3]) if pixels in BLUE_FIRST else found
