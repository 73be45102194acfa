"""Bodies of tapered capsules as shaded pixels: one depth buffer a body, shaded once.

Several instants of one body (the sub-frames of one exposure) are drawn together, S of them stacked on the first axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STEPS = 64.0  # steps of depth a pixel, and the most capsules a body may have: both share one float32
_EMPTY = np.float32(-1e9)


@dataclass(frozen=True)
class Buffer:
    """What the capsules leave in a window of the picture whose first pixel is (left, top)."""

    left: int
    top: int
    depth: np.ndarray  # (S, h, w) float32 pixels towards the camera; meaningless where coverage is 0
    coverage: np.ndarray  # (S, h, w) float32 0..1
    nearest: np.ndarray  # (S, h, w) uint8 number of the capsule in front


@dataclass(frozen=True)
class Light:
    """Lamps of the hall: a direction in picture axes (right, down, towards the camera) and their strengths."""

    direction: tuple[float, float, float] = (-0.35, -0.75, 0.55)
    ambient: float = 0.42
    direct: float = 0.72
    gloss: float = 0.22  # wet skin shines


def window(
    ends: np.ndarray, radii: np.ndarray, *, width: int, height: int, margin: int = 4
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive) of the picture part that capsules (S, C, 2, 3) may touch; may be empty."""
    low = (ends[..., :2] - radii[..., None]).min(axis=(0, 1, 2)) - margin
    high = (ends[..., :2] + radii[..., None]).max(axis=(0, 1, 2)) + margin + 1
    left, top = np.floor(np.clip(low, 0, [width, height])).astype(int)
    right, bottom = np.ceil(np.clip(high, 0, [width, height])).astype(int)
    return int(left), int(top), int(right), int(bottom)


def rasterise(ends: np.ndarray, radii: np.ndarray, *, width: int, height: int) -> Buffer | None:
    """Draw capsules, ends (S, C, 2, 3) in pixels and radii (C, 2) in pixels, into one buffer; None outside the picture."""
    S, C = ends.shape[:2]
    assert ends.shape == (S, C, 2, 3) and radii.shape == (C, 2) and C <= _STEPS
    left, top, right, bottom = window(ends, radii, width=width, height=height)
    if right - left < 3 or bottom - top < 3:
        return None
    ends = ends.astype(np.float32) - np.array([left, top, 0], np.float32)
    radii = radii.astype(np.float32)
    shape = (S, bottom - top, right - left)
    keys, inside = np.full(shape, _EMPTY), np.full(shape, np.float32(-1))
    for number in range(C):
        _capsule(keys, inside, ends[:, number], radii[number], number)
    coverage = np.clip(inside + np.float32(0.5), 0, 1)
    nearest = np.mod(keys, np.float32(_STEPS))
    depth = (keys - nearest) * np.float32(1 / _STEPS**2)
    return Buffer(left=left, top=top, depth=depth, coverage=coverage, nearest=nearest.astype(np.uint8))


def _capsule(keys: np.ndarray, inside: np.ndarray, ends: np.ndarray, radii: np.ndarray, number: int) -> None:
    """Keep, per pixel, the nearest surface as one sortable number (depth, then capsule) and the distance inside the edge.

    A square, s its place along the axis: the surface stands sqrt(r(s)^2 - distance^2) before the axis.
    """
    reach = radii.max() + 1
    low = np.floor(ends[..., :2].min(axis=(0, 1)) - reach).astype(int)
    high = np.ceil(ends[..., :2].max(axis=(0, 1)) + reach + 1).astype(int)
    x0, y0 = np.maximum(low, 0)
    x1, y1 = np.minimum(high, [keys.shape[2], keys.shape[1]])
    if x1 <= x0 or y1 <= y0:
        return
    start, axis = ends[:, 0, :, None, None], (ends[:, 1] - ends[:, 0])[:, :, None, None]  # (S, 3, 1, 1)
    along = axis[:, :2] / ((axis[:, :2] ** 2).sum(axis=1, keepdims=True) + np.float32(0.25))
    dx = np.arange(x0, x1, dtype=np.float32) - start[:, 0]  # (S, 1, w)
    dy = np.arange(y0, y1, dtype=np.float32)[:, None] - start[:, 1]  # (S, h, 1)
    place = dx * along[:, 0] + dy * along[:, 1]  # (S, h, w)
    np.maximum(place, 0, out=place)
    np.minimum(place, 1, out=place)
    radius = place * (radii[1] - radii[0])
    radius += radii[0]
    ex = dx - place * axis[:, 0]
    ey = dy - place * axis[:, 1]
    square = radius * radius
    square -= ex * ex
    square -= ey * ey
    place *= axis[:, 2]
    place += start[:, 2]
    place += np.minimum(square, 0)  # outside it falls off, so that an edge pixel never covers another limb
    place += np.sqrt(np.maximum(square, 0))
    place *= np.float32(_STEPS)
    np.floor(place, out=place)
    place *= np.float32(_STEPS)
    place += np.float32(number)
    square /= radius + radius  # (r^2 - d^2) / 2r is r - d near the edge
    part = (slice(None), slice(y0, y1), slice(x0, x1))
    np.maximum(keys[part], place, out=keys[part])
    np.maximum(inside[part], square, out=inside[part])


def shade(buffer: Buffer, albedo: np.ndarray, light: Light, *, softness: float) -> np.ndarray:
    """Colours (S, h, w, 3) float32 of a buffer, `albedo` (C, 3) 0..255 a capsule.

    Normals come from the depth blurred over `softness` pixels, which melts the capsules into one body;
    hollows between limbs are darkened by how far they lie behind their surroundings.
    """
    import cv2

    S, h, w = buffer.depth.shape
    solid = (buffer.coverage > 0.5).astype(np.float32)
    flat = (buffer.depth * solid).reshape(S * h, w)
    weight = solid.reshape(S * h, w)
    depth = _spread(flat, weight, max(softness, 0.6))
    gx = cv2.Sobel(depth, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    gy = cv2.Sobel(depth, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    length = np.sqrt(gx * gx + gy * gy + 1)
    lx, ly, lz = np.array(light.direction, np.float32) / np.float32(np.linalg.norm(light.direction))
    lambert = np.maximum((lz - gx * lx - gy * ly) / length, 0)
    hollow = np.clip(
        (_spread(flat, weight, 5 * softness) - depth) * np.float32(0.35 / max(softness, 0.6) / 4), 0, 0.5
    )
    brightness = (light.ambient * (1 + 0.25 * gy / length) + light.direct * lambert) * (1 - hollow)
    halfway = np.array([lx, ly, lz + 1], np.float32) / np.float32(np.sqrt(2 + 2 * lz))
    shine = np.maximum((halfway[2] - gx * halfway[0] - gy * halfway[1]) / length, 0)
    shine *= shine
    shine *= shine
    shine *= shine
    shine *= shine
    colour = albedo.astype(np.float32)[buffer.nearest] * brightness.reshape(S, h, w, 1)
    return colour + (255 * light.gloss) * shine.reshape(S, h, w, 1)


def _spread(depth: np.ndarray, weight: np.ndarray, reach: float) -> np.ndarray:
    """Blur of the depth over the body's own pixels alone; beyond the body it goes on flat."""
    import cv2

    size = 2 * int(round(reach)) + 1
    blurred = cv2.blur(depth, (size, size))
    weights = cv2.blur(weight, (size, size))
    return blurred / np.maximum(weights, np.float32(1e-3))
