"""Keypoints as heatmaps and back, with sub-pixel decoding.

Coordinates are those of heatmap cells: (x, y) = (3, 2) is the centre of the cell in column 3, row 2.
Shapes: N maps (any leading axes), h rows, w columns.

DARK: Zhang et al., "Distribution-Aware Coordinate Representation for Human Pose Estimation", CVPR 2020. The
map is taken for a blurred Gaussian; the logarithm of a Gaussian is a parabola, whose top follows from one
Newton step.
"""

from __future__ import annotations

import functools
import math

import torch


def encode(points: torch.Tensor, *, height: int, width: int, sigma: float) -> torch.Tensor:
    """Gaussian heatmaps `(..., h, w)` with peak 1 at `points (..., 2)` in cells, true to the sub-pixel."""
    columns = torch.arange(width, dtype=points.dtype, device=points.device)
    rows = torch.arange(height, dtype=points.dtype, device=points.device)
    across = torch.exp(-((columns - points[..., 0:1]) ** 2) / (2 * sigma**2))  # (..., w)
    down = torch.exp(-((rows - points[..., 1:2]) ** 2) / (2 * sigma**2))  # (..., h)
    return down[..., :, None] * across[..., None, :]


def from_logits(cells: torch.Tensor, nowhere: torch.Tensor, *, sigma: float) -> torch.Tensor:
    """Heatmaps `(B, K, h, w)` from the logits of a distribution over cells `(B, K, h, w)` and "nowhere" `(B, K)`.

    Scaled such that a Gaussian of `sigma` cells with all the probability has peak 1: a keypoint that may be
    elsewhere, or nowhere, peaks lower.
    """
    logits = cells.float().contiguous().flatten(2)
    chance = logits.softmax(dim=2)  # of each cell, given that it is in one of them
    evidence = logits.amax(dim=2) - chance.amax(dim=2).log()  # logarithm of the sum of exponentials
    anywhere = (evidence - nowhere.float()).sigmoid()
    return (chance * (anywhere * 2 * math.pi * sigma**2)[..., None]).reshape(cells.shape)


def cross_entropy(cells: torch.Tensor, nowhere: torch.Tensor, target: torch.Tensor, *, sigma: float) -> torch.Tensor:
    """Cross-entropy `(B, K)` of a distribution given by its logits (as in `from_logits`) to Gaussians of `sigma`.

    `target (B, K, h, w)` as `encode` makes it, all zero for a keypoint that is nowhere; what of a Gaussian lies
    beyond the map's border counts as nowhere.
    """
    log_chance = torch.cat([cells.flatten(2), nowhere[..., None]], dim=2).float().log_softmax(dim=2)
    mass = target.sum(dim=(2, 3))  # (B, K)
    inside = (mass / (2 * math.pi * sigma**2)).clamp(max=1.0)
    there = (target.flatten(2) * log_chance[..., :-1]).sum(dim=2) / mass.clamp(min=1e-6)
    return -(inside * there + (1 - inside) * log_chance[..., -1])


def decode(heatmaps: torch.Tensor, *, dark: bool = True, kernel: int = 11, whole_map: bool = False) -> torch.Tensor:
    """`(..., h, w)` to `(..., 3)`: x, y in cells and the height of the peak as confidence.

    `dark=False` returns the highest cell itself. `kernel` is the odd width of DARK's blur: 11 goes with maps
    trained at sigma 2, 7 with 1.5, 17 with 3. A map without a positive value gives (0, 0, its maximum). Cells
    within two of the border are not refined. `whole_map` scales a blurred map by its highest cell anywhere, as the
    published code does, and not around the peak alone: the same but for maps with negative values beside their peak.
    """
    assert heatmaps.ndim >= 2, heatmaps.shape
    assert kernel % 2 == 1, kernel
    maps = heatmaps.reshape(-1, *heatmaps.shape[-2:]).float()  # (N, h, w)
    confidence, x, y = _peaks(maps)
    places = torch.stack([x, y], dim=-1).float()  # (N, 2)
    if dark:
        top = _blurred_top(maps, kernel) if whole_map else None
        log_map = _log_neighbourhood(maps, confidence, x, y, kernel, top)
        places = places + _newton_step(log_map, _inner(x, y, maps.shape))
    places = torch.where(confidence[:, None] > 0, places, torch.zeros_like(places))
    return torch.cat([places, confidence[:, None]], dim=-1).reshape(*heatmaps.shape[:-2], 3)


def _peaks(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Height, column and row of the highest cell of each map, `(N,)` each."""
    confidence, flat = maps.flatten(1).max(dim=1)
    return confidence, flat % maps.shape[-1], flat // maps.shape[-1]


def _inner(x: torch.Tensor, y: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """True where the second differences around (x, y) stay inside the map, `(N,)`."""
    height, width = shape[-2:]
    return (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)


def _log_neighbourhood(
    maps: torch.Tensor,
    confidence: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    kernel: int,
    top: torch.Tensor | None = None,
) -> torch.Tensor:
    """Logarithm of the blurred map on the 5 x 5 cells around each peak, `(N, 5, 5)`; `top (N,)` of the whole if known.

    Only the cells that the blur of those 25 needs are read; beyond the border there are zeros. The blurred peak is
    scaled back to its height before, as published; a factor is a constant in the logarithm and matters only against
    the floor of 1e-10.
    """
    height, width = maps.shape[-2:]
    around = torch.arange(-(2 + kernel // 2), 3 + kernel // 2)
    rows, columns = y[:, None] + around, x[:, None] + around  # (N, kernel + 4) each
    within = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    cells = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
    patch = maps.flatten(1).gather(1, cells.flatten(1)).reshape(within.shape) * within
    blurred = _blur_matrix(kernel) @ patch @ _blur_matrix(kernel).T  # (N, 5, 5)
    top = blurred.amax(dim=(1, 2)).clamp(min=1e-20) if top is None else top
    blurred = blurred * (confidence / top)[:, None, None]
    return blurred.clamp(min=1e-10).log()


def _blurred_top(maps: torch.Tensor, kernel: int) -> torch.Tensor:
    """Highest cell of each blurred map, `(N,)`; zeros beyond the border."""
    taps = _blur_matrix(kernel)[0, :kernel].to(maps.device)
    lines = torch.nn.functional.conv2d(maps[:, None], taps.view(1, 1, 1, -1), padding=(0, kernel // 2))
    blurred = torch.nn.functional.conv2d(lines, taps.view(1, 1, -1, 1), padding=(kernel // 2, 0))
    return blurred.amax(dim=(1, 2, 3))


def _newton_step(log_map: torch.Tensor, usable: torch.Tensor) -> torch.Tensor:
    """Offset (x, y) of the parabola's top from the middle of `log_map (N, 5, 5)`; 0 if unusable or flat."""
    p = log_map
    dx = (p[:, 2, 3] - p[:, 2, 1]) / 2
    dy = (p[:, 3, 2] - p[:, 1, 2]) / 2
    dxx = (p[:, 2, 4] - 2 * p[:, 2, 2] + p[:, 2, 0]) / 4
    dyy = (p[:, 4, 2] - 2 * p[:, 2, 2] + p[:, 0, 2]) / 4
    dxy = (p[:, 3, 3] - p[:, 1, 3] - p[:, 3, 1] + p[:, 1, 1]) / 4
    determinant = dxx * dyy - dxy * dxy
    usable = usable & (determinant != 0)
    safe = torch.where(usable, determinant, torch.ones_like(determinant))
    step = torch.stack([-(dyy * dx - dxy * dy) / safe, -(dxx * dy - dxy * dx) / safe], dim=-1)  # (N, 2)
    return torch.where(usable[:, None], step, torch.zeros_like(step))


@functools.lru_cache(maxsize=16)
def _blur_matrix(kernel: int) -> torch.Tensor:
    """`(5, kernel + 4)` matrix: five cells of a line, each a Gaussian mean over `kernel` cells; sigma as in OpenCV."""
    sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8
    taps = torch.exp(-((torch.arange(kernel) - kernel // 2) ** 2) / (2 * sigma**2))
    matrix = torch.zeros(5, kernel + 4)
    for row in range(5):
        matrix[row, row : row + kernel] = taps / taps.sum()
    return matrix
