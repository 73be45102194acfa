"""What I3D sees in snippets of 16 frames: nine vectors a clip (FineDiving and its successors), or ten (CoRe, MUSDL).

These systems train I3D on. Features of a frozen one are the cheaper protocol of much of the literature, and no
reproduction of theirs. Carreira, Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017, gives network and weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from aqa_pipeline import weights as stored_weights
from aqa_pipeline.backbones import i3d
from aqa_pipeline.backbones.i3d import SNIPPET
from aqa_pipeline.errors import InputError
from aqa_pipeline.features._clips import Network, shown
from aqa_pipeline.layers.views import View

source = "frames"
boxes = "optional"


class Extractor:
    """Callable from frames `(H, W, 3)`, and maybe boxes `(T, 5)` to follow, to features `(S, 1024)` float32."""

    def __init__(self, view: View, starts: Sequence[int], network: Network, sha256: str | None) -> None:
        self.view, self.starts, self.sha256 = view, list(starts), sha256
        self._network = network

    def __call__(self, frames: Sequence[np.ndarray], boxes: np.ndarray | None = None) -> np.ndarray:
        clip = shown(self.view, frames, boxes)  # (T, 3, H, W)
        snippets = torch.stack([clip[start : start + SNIPPET] for start in self.starts])  # (S, 16, 3, H, W)
        return self._network(snippets, channels=1)

    def first_frames(self, n: int) -> np.ndarray:
        """The frame at which each snippet begins `(S,)`, in a clip of `n`."""
        return self.view.positions(n)[self.starts]


def build(
    *,
    weights: str = "i3d_kinetics",
    starts: Sequence[int] = (0, 10, 20, 30, 40, 50, 60, 70, 80),
    n_frames: int = 96,
    sampling: str = "linspace",
    resize: Sequence[int] | None = (200, 112),
    swap_resize: bool = True,
    crop: int = 112,
    pixels: str = "imagenet",
    width: float = 1.0,
    batch: int = 3,
    device: str = "cpu",
) -> Extractor:
    """`weights` of Kinetics, a registered name or a file; `starts` of the snippets among the `n_frames` of a `View`.

    CoRe's ten: `n_frames: 103, sampling: last, resize: [455, 256], crop: 224` and starts 0, 10 ... 80, 86.
    """
    view = View(n_frames=n_frames, sampling=sampling, resize=resize, swap_resize=swap_resize, crop=crop)
    if not starts or min(starts) < 0 or max(starts) + SNIPPET > n_frames:
        raise InputError(f"starts: found {list(starts)}, expected 0 to {n_frames - SNIPPET}")
    network = i3d.build(width=width, weights=weights)
    return Extractor(
        view, starts, Network(network, device=device, batch=batch, pixels=pixels), stored_weights.sha256(weights)
    )
