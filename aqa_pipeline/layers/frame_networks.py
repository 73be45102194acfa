"""Picture networks of timm without their classification head, looking at a clip frame by frame."""

from __future__ import annotations

from torch import Tensor, nn

from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import torchvision


class FrameNetwork(nn.Module):
    """`network`, pictures (N, 3, H, W) to features (N, C), for every frame of clips; `dim` is C.

    `n_frames`: T of all clips, where the network has to know it.
    """

    def __init__(self, network: nn.Module, dim: int, *, n_frames: int | None = None) -> None:
        super().__init__()
        self.network, self.dim, self.n_frames = network, dim, n_frames

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) to features (B, T, C)."""
        assert self.n_frames in (None, frames.shape[1]), (self.n_frames, frames.shape)
        return self.network(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])


def create(name: str, **options: object) -> nn.Module:
    """The network that timm calls by this name, with `options` of its own, from nothing and without a head.

    InputError where timm or torchvision is missing. Nothing is ever downloaded.
    """
    torchvision.ready(f"the network {name}")
    try:
        import timm
    except ImportError as error:
        raise InputError(
            f"the network {name} needs timm, which is not installed: python -m pip install --no-deps timm==1.0.31"
        ) from error
    return timm.create_model(name, pretrained=False, num_classes=0, **options)
