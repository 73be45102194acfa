"""RTMPose and other top-down networks with SimCC heads in ONNX, as rtmlib runs them.

A SimCC head answers for every keypoint along two axes, in fractions of a pixel; where both are highest is the keypoint.
Crops, means and decoding are those of rtmlib's `RTMPose`, on RGB pictures, as the networks were trained (rtmlib itself
takes what OpenCV reads, which is BGR). rtmlib never fetches anything here: files come by name or path.

Jiang et al., "RTMPose: Real-Time Multi-Person Pose Estimation based on MMPose", 2023; Li et al., "SimCC", ECCV 2022.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aqa_pipeline import keypoint_sets
from aqa_pipeline import weights as stored_weights
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import inference, onnx
from aqa_pipeline.pose._top_down import Crop, Estimator

# Of ImageNet in RGB, 0 to 255; rtmlib's RTMPose, mmpose's PoseDataPreprocessor.
MEAN = np.array([123.675, 116.28, 103.53], np.float32)
STD = np.array([58.395, 57.12, 57.375], np.float32)


class _Look:
    """Callable from crops (B, h, w, 3) to keypoints (B, K, 3) in crop pixels."""

    def __init__(self, path: Path, *, device: str) -> None:
        self.network = onnx.Network(path, device=device)
        if self.network.height is None or self.network.width is None:
            raise InputError(f"{path}: leaves the size of its pictures open, expected a network for crops of one size")
        self.size = self.network.width, self.network.height
        outputs = self._answers(np.zeros((1, *self.size[::-1], 3), np.uint8))
        self.n_keypoints = _expect_simcc(path, outputs, self.size)

    def _answers(self, pictures: np.ndarray) -> list[np.ndarray]:
        return self.network(((pictures - MEAN) / STD).astype(np.float32).transpose(0, 3, 1, 2))

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        from rtmlib.tools.pose_estimation.post_processings import get_simcc_maximum

        along_x, along_y = self._answers(pictures)
        bins, confidence = get_simcc_maximum(along_x, along_y)  # (B, K, 2), (B, K)
        a_pixel = along_x.shape[2] / self.size[0]
        return np.concatenate([bins / a_pixel, confidence[..., None]], axis=-1).astype(np.float32)


def _expect_simcc(path: Path, outputs: list[np.ndarray], size: tuple[int, int]) -> int:
    """The number of keypoints, of two outputs (1, K, bins) with equally many bins a pixel."""
    shapes = [output.shape for output in outputs]
    if (
        len(shapes) == 2
        and all(len(shape) == 3 for shape in shapes)
        and shapes[0][1] == shapes[1][1]
        and shapes[0][2] * size[1] == shapes[1][2] * size[0]
    ):
        return shapes[0][1]
    raise InputError(
        f"{path}: gives arrays of shapes {shapes}, expected SimCC: (B, K, n {size[0]}), (B, K, n {size[1]})"
    )


def build(
    *,
    device: str = "cpu",
    weights: str = "rtmpose_m_body7",
    sha256: str | None = None,
    keypoint_set: str = "coco_17",
    rotations: int = 1,
    refine: int = 0,
    batch: int = 16,
    padding: float = 1.25,
) -> Estimator:
    """An estimator of `keypoint_set`, which must have as many points as the network gives.

    `weights`: a registered name or an ONNX file; `sha256`: what such a file must have. `rotations`, `refine`: see
    `_top_down`. `padding`: crop over box, 1.25 in training.
    """
    points = keypoint_sets.get(keypoint_set)
    path = stored_weights.path(weights, sha256=sha256)
    look = _Look(path, device=device)
    if look.n_keypoints != len(points):
        raise InputError(f"{path}: gives {look.n_keypoints} keypoints, expected the {len(points)} of {keypoint_set}")
    return Estimator(
        look,
        keypoint_set=keypoint_set,
        crop=Crop(look.size, padding=padding, corners=True, reduced=False),
        weights=weights,
        sha256=stored_weights.sha256(weights),
        rotations=rotations,
        refine=refine,
        batch=batch,
        workers=inference.workers(inference.choose_device(device)),
    )
