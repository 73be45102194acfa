"""torchvision, also where its compiled operators do not fit the torch at hand: `ready`, then import what needs it.

The wheels of torchvision on PyPI are compiled for the CUDA builds of torch. Beside a CPU build the package is whole but
for its operators, and refuses to be imported since one of them is not registered. The detectors need two, which stand
here for that case: non-maximum suppression by OpenCV, RoIAlign by torch's own grid sampling.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from aqa_pipeline.errors import InputError

_declared: list[torch.library.Library] = []  # an operator lives as long as its library object


def ready(what: str) -> ModuleType:
    """torchvision, able to be imported from now on, by timm as well.

    `what` needs it, says the InputError that tells what to install where it is missing.
    """
    try:
        return _imported()
    except ImportError as error:
        fitting = torch.__version__.partition("+")[0]
        raise InputError(
            f"{what} needs torchvision, which is not installed (torch is {fitting}): "
            "python -m pip install --no-deps torchvision==0.28.0, or the version that belongs to your torch"
        ) from error


def detection() -> ModuleType:
    """`torchvision.models.detection`, able to run; InputError as of `ready`."""
    torchvision = ready("Faster R-CNN")
    if not torchvision.extension._has_ops():
        torchvision.ops.boxes.nms = nms
        torchvision.ops.poolers.roi_align = roi_align
    return torchvision.models.detection


def _imported() -> ModuleType:
    """torchvision; where its operators could not be loaded, with those declared that it describes on import."""
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)
        import torchvision
    return torchvision


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Indices `(M,)` of the boxes `(N, 4)` that no surer one overlaps by more than the threshold, surest first."""
    import cv2

    corners = boxes.detach().double().cpu().numpy()
    extents = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    order = torch.argsort(scores.detach(), descending=True, stable=True).cpu().numpy()
    ranks = np.empty(len(order), np.float32)
    ranks[order] = np.arange(len(order), 0, -1)  # OpenCV leaves out scores of 0; only their order matters here
    kept = cv2.dnn.NMSBoxes(extents, ranks, 0.0, iou_threshold)
    return torch.as_tensor(np.asarray(kept, np.int64).reshape(-1), device=boxes.device)


def roi_align(
    input: Tensor, boxes: Tensor, output_size: tuple[int, int], spatial_scale: float, sampling_ratio: int
) -> Tensor:
    """Features `(N, C, H, W)` averaged in a grid of `output_size` over boxes `(K, 5)`: (K, C, *output_size).

    A box is the number of its picture and x1, y1, x2, y2 in pixels of the picture, inside it; every cell is the mean of
    `sampling_ratio` squared places between pixels (He et al., "Mask R-CNN", ICCV 2017; without its half-pixel shift).
    """
    height, width = input.shape[2:]
    (rows, columns), n = output_size, sampling_ratio
    corner, far = boxes[:, 1:3] * spatial_scale, boxes[:, 3:5] * spatial_scale
    extent = (far - corner).clamp(min=1.0)
    x = corner[:, :1] + extent[:, :1] * _middles(columns * n, input)  # (K, columns n)
    y = corner[:, 1:] + extent[:, 1:] * _middles(rows * n, input)
    # grid_sample counts from -1, the middle of the first pixel, to 1, that of the last.
    x, y = (2 * place / max(size - 1, 1) - 1 for place, size in ((x, width), (y, height)))
    pooled = input.new_empty(len(boxes), input.shape[1], rows, columns)
    for number in boxes[:, 0].unique().long().tolist():  # a picture may have no box on a level of the pyramid
        own = boxes[:, 0] == number
        grid = torch.stack(torch.broadcast_tensors(x[own][:, None, :], y[own][:, :, None]), dim=-1)
        sampled = torch.nn.functional.grid_sample(
            input[number : number + 1],
            grid.reshape(1, -1, columns * n, 2).to(input.dtype),
            padding_mode="border",
            align_corners=True,
        )
        cells = torch.nn.functional.avg_pool2d(sampled, n)[0]  # (C, K rows, columns)
        pooled[own] = cells.unflatten(1, (-1, rows)).transpose(0, 1)
    return pooled


def _middles(count: int, like: Tensor) -> Tensor:
    """Middles of `count` equal parts of 0 .. 1."""
    return (torch.arange(count, device=like.device, dtype=torch.float32) + 0.5) / count
