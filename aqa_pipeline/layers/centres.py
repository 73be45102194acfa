"""Boxes as centre maps and back, for the one-class detector.

A picture of any size is fitted into the network's input without distortion ("letterbox", top left, black
below or right). Shapes: B pictures, N boxes, h x w cells of `stride` input pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional


def fit_scale(shape: tuple[int, ...], *, height: int, width: int) -> float:
    """Input pixels per picture pixel for a picture of `shape` (H, W, ...)."""
    return min(height / shape[0], width / shape[1])


def letterbox(frame: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """`frame (H, W, 3)` fitted into `(height, width, 3)`."""
    import cv2

    scale = fit_scale(frame.shape, height=height, width=width)
    size = (min(round(frame.shape[1] * scale), width), min(round(frame.shape[0] * scale), height))
    shrinks = scale < 1
    fitted = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    out = np.zeros((height, width, 3), frame.dtype)
    out[: size[1], : size[0]] = fitted
    return out


def decode(maps: dict[str, torch.Tensor], *, stride: int, limit: int, least: float) -> list[torch.Tensor]:
    """Boxes `(N, 5)` a picture, x1 y1 x2 y2 confidence in input pixels, best first.

    A candidate is a cell that is the highest of its 3 x 3 neighbours and reaches `least`; at most `limit`
    are kept.
    """
    scores = maps["centre"].sigmoid()  # (B, h, w)
    peaks = functional.max_pool2d(scores[:, None], 3, stride=1, padding=1)[:, 0] == scores
    width = scores.shape[-1]
    best, cells = torch.where(peaks, scores, 0.0).flatten(1).topk(min(limit, scores[0].numel()), dim=1)  # (B, N)
    picked = {key: maps[key].flatten(2).gather(2, cells[:, None].expand(-1, 2, -1)) for key in ("offset", "size")}
    centres = torch.stack([cells % width, cells // width], 1) + picked["offset"] + 0.5  # (B, 2, N)
    half = picked["size"].exp() / 2
    boxes = torch.cat([centres - half, centres + half], 1) * stride  # (B, 4, N)
    found = torch.cat([boxes, best[:, None]], 1).transpose(1, 2)  # (B, N, 5)
    return [rows[rows[:, 4] >= least] for rows in found]


def encode(boxes: torch.Tensor, *, height: int, width: int, stride: int) -> dict[str, torch.Tensor]:
    """Targets of one box a picture, `boxes (B, 4)` in input pixels; rows of NaN where there is no athlete.

    `centre (B, h, w)`: 1 at the centre's cell, falling off with the box's size; `offset (B, 2, h, w)` and
    `size`: what every cell should answer if asked; `near (B, h, w)`: how much it is asked, 0 far from the
    centre.
    """
    h, w = height // stride, width // stride
    present = torch.isfinite(boxes).all(dim=1)
    cells = torch.where(present[:, None], boxes, torch.ones_like(boxes)) / stride
    centre, extent = (cells[:, :2] + cells[:, 2:]) / 2, (cells[:, 2:] - cells[:, :2]).clamp(min=0.5)
    columns, rows = torch.arange(w) + 0.5, torch.arange(h) + 0.5
    gap_x = centre[:, 0, None, None] - columns[None, None, :]  # (B, 1, w)
    gap_y = centre[:, 1, None, None] - rows[None, :, None]  # (B, h, 1)
    spread = (extent / 6).clamp(min=0.6)[:, :, None, None]  # one standard deviation, in cells
    near = torch.exp(-(gap_x**2 / (2 * spread[:, 0] ** 2) + gap_y**2 / (2 * spread[:, 1] ** 2)))  # (B, h, w)
    near = near * present[:, None, None]
    # The one cell the centre lies in: its middle is at most half a cell away.
    peak = (gap_x >= -0.5) & (gap_x < 0.5) & (gap_y >= -0.5) & (gap_y < 0.5) & present[:, None, None]
    return dict(
        centre=torch.where(peak, 1.0, near),
        offset=torch.stack([gap_x.expand(-1, h, -1), gap_y.expand(-1, -1, w)], 1),
        size=extent.log()[:, :, None, None].expand(-1, -1, h, w),
        near=torch.where(near > 0.3, near, 0.0),
    )


def loss(maps: dict[str, torch.Tensor], target: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Focal loss of the centre map and 1 - IoU of the boxes answered near the centre, each a mean over the batch."""
    logits, truth = maps["centre"].float(), target["centre"]
    hit, miss = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    score = logits.sigmoid()
    positive = (truth == 1) * (1 - score) ** 2 * hit
    negative = (truth < 1) * (1 - truth) ** 4 * score**2 * miss
    weight = target["near"]
    overlap = _overlap(maps["offset"].float(), maps["size"].float(), target["offset"], target["size"])
    return dict(
        centre=-(positive + negative).sum() / len(logits),
        box=((1 - overlap) * weight).sum() / weight.sum().clamp(min=1.0),
    )


def _overlap(
    offset: torch.Tensor, size: torch.Tensor, true_offset: torch.Tensor, true_size: torch.Tensor
) -> torch.Tensor:
    """Generalised IoU (Rezatofighi et al., CVPR 2019) of the boxes of two sets of maps, cell by cell, (B, h, w)."""
    extent, true_extent = size.clamp(max=5.0).exp(), true_size.exp()
    low, true_low = offset - extent / 2, true_offset - true_extent / 2
    high, true_high = offset + extent / 2, true_offset + true_extent / 2
    inner = (torch.minimum(high, true_high) - torch.maximum(low, true_low)).clamp(min=0).prod(dim=1)
    hull = (torch.maximum(high, true_high) - torch.minimum(low, true_low)).prod(dim=1)
    union = extent.prod(dim=1) + true_extent.prod(dim=1) - inner
    return inner / union - (hull - union) / hull
