"""What C3D sees in clips of 16 frames that follow each other: one vector a clip, of its layer fc6, never trained on.

Parmar and Morris, "Learning to Score Olympic Events", CVPRW 2017, score with these features: C3D-SVR with their mean,
C3D-LSTM with their sequence. The authors' network is the small one for UCF-101 (layout `ucf_small`), whose weights
nobody publishes; by default it is the common one, which was trained on for UCF-101.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from aqa_pipeline import weights as stored_weights
from aqa_pipeline.backbones import c3d
from aqa_pipeline.backbones.c3d import CLIP
from aqa_pipeline.errors import InputError
from aqa_pipeline.features._clips import Network, shown
from aqa_pipeline.layers.views import View

source = "frames"
boxes = "optional"


class Extractor:
    """Callable from frames `(H, W, 3)`, and maybe boxes `(T, 5)` to follow, to features `(S, F)` float32.

    `whole`: all frames of a video are shown, whatever the view says, and S is as many clips as are in it. `average`: of
    these one mean, so that S is 1.
    """

    def __init__(self, view: View, network: Network, *, whole: bool, average: bool, sha256: str | None) -> None:
        self.view, self.whole, self.average, self.sha256 = view, whole, average, sha256
        self._network = network

    def __call__(self, frames: Sequence[np.ndarray], boxes: np.ndarray | None = None) -> np.ndarray:
        view = self._view(len(frames))
        video = shown(view, frames, boxes)  # (T, 3, H, W)
        features = self._network(video[: view.n_frames // CLIP * CLIP].unflatten(0, (-1, CLIP)), channels=1)
        return features.mean(axis=0, keepdims=True) if self.average else features

    def first_frames(self, n: int) -> np.ndarray:
        """The frame at which each clip, or all of it, begins `(S,)`, in a video of `n`."""
        view = self._view(n)
        begin = view.positions(n)[: view.n_frames // CLIP * CLIP : CLIP]
        return begin[:1] if self.average else begin

    def _view(self, n: int) -> View:
        return replace(self.view, n_frames=max(n, CLIP)) if self.whole else self.view


class _Described(nn.Module):
    def __init__(self, network: c3d.C3D) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor) -> Tensor:
        return self.network.describe(clips)


def build(
    *,
    weights: str = "c3d_ucf101",
    layout: str = "s1m",
    average: bool = False,
    n_frames: int | None = None,
    sampling: str = "first",
    resize: Sequence[int] | None = (171, 128),
    swap_resize: bool = False,
    crop: int = 112,
    pixels: str = "c3d_ucf101",
    width: float = 1.0,
    batch: int = 6,
    device: str = "cpu",
) -> Extractor:
    """`weights`: a registered name or a file, of a `layout` of `backbones.c3d`; the view is that of C3D's authors.

    `n_frames` of the `View`, of which those that fill no clip of 16 are left out; None: all frames of each video, the
    last repeated where there are fewer than 16. `average`: one vector a video, as C3D-SVR has it.
    """
    if n_frames is not None and n_frames < CLIP:
        raise InputError(f"c3d_clips.n_frames: found {n_frames}, expected {CLIP} or more, or null for all")
    view = View(n_frames=n_frames or CLIP, sampling=sampling, resize=resize, swap_resize=swap_resize, crop=crop)
    network = c3d.build(layout=layout, width=width, fc6=True, side=crop, weights=weights)
    ready = Network(_Described(network), device=device, batch=batch, pixels=pixels)
    sha256 = stored_weights.sha256(weights)
    return Extractor(view, ready, whole=n_frames is None, average=average, sha256=sha256)
