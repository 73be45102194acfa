"""Bodies of tapered capsules as shaded pixels: one depth buffer a body, shaded once.

Several instants of one body (the sub-frames of one exposure) are drawn together, S of them on the first axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STEPS = np.float32(64)  # steps of depth a pixel, and the most capsules a body may have: both share one float32
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
    """Lamps of the hall: their direction in picture axes (right, down, towards the camera) and strengths."""

    direction: tuple[float, float, float] = (-0.35, -0.75, 0.55)
    ambient: float = 0.42
    direct: float = 0.72
    gloss: float = 0.22  # wet skin shines


def window(
    ends: np.ndarray, radii: np.ndarray, *, width: int, height: int, margin: int = 4
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive) of what capsules (S, C, 2, 3) may touch."""
    low = (ends[..., :2] - radii[..., None]).min(axis=(0, 1, 2)) - margin
    high = (ends[..., :2] + radii[..., None]).max(axis=(0, 1, 2)) + margin + 1
    left, top = np.floor(np.clip(low, 0, [width, height])).astype(int)
    right, bottom = np.ceil(np.clip(high, 0, [width, height])).astype(int)
    return int(left), int(top), int(right), int(bottom)


def rasterise(ends: np.ndarray, radii: np.ndarray, *, width: int, height: int) -> Buffer | None:
    """Draw capsules, ends (S, C, 2, 3) and radii (C, 2) in pixels, into one buffer; None outside the picture.

    Depth and number of the nearest capsule share one float32 a pixel, so keeping the nearest is one maximum.
    """
    S, C = ends.shape[:2]
    assert ends.shape == (S, C, 2, 3)
    assert radii.shape == (C, 2)
    assert C <= _STEPS
    left, top, right, bottom = window(ends, radii, width=width, height=height)
    if right - left < 3 or bottom - top < 3:
        return None
    ends = ends.astype(np.float32) - np.array([left, top, 0], np.float32)
    keys = np.full((S, bottom - top, right - left), _EMPTY)
    inside = np.full(keys.shape, np.float32(-1))
    _draw(keys, inside, ends.transpose(1, 2, 3, 0)[..., None, None], radii.astype(np.float32))
    coverage = np.clip(inside + np.float32(0.5), 0, 1)
    nearest = np.mod(keys, _STEPS)
    depth = (keys - nearest) * np.float32(1 / _STEPS**2)
    return Buffer(left=left, top=top, depth=depth, coverage=coverage, nearest=nearest.astype(np.uint8))


def _draw(keys: np.ndarray, inside: np.ndarray, ends: np.ndarray, radii: np.ndarray) -> None:
    """Draw all capsules, ends (C, 2, 3, S, 1, 1), each into its own part of the window (S, h, w)."""
    _, h, w = keys.shape
    x, y = np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)[:, None]
    axes = ends[:, 1] - ends[:, 0]  # (C, 3, S, 1, 1)
    alongs = axes[:, :2] / ((axes[:, :2] ** 2).sum(axis=1, keepdims=True) + np.float32(0.25))
    reach = radii.max(axis=1)[:, None] + 1
    flat = ends[:, :, :2, :, 0, 0]
    lows = np.clip(np.floor(flat.min(axis=(1, 3)) - reach), 0, [w, h]).astype(int).tolist()
    highs = np.clip(np.ceil(flat.max(axis=(1, 3)) + reach + 1), 0, [w, h]).astype(int).tolist()
    for number, ((x0, y0), (x1, y1)) in enumerate(zip(lows, highs, strict=True)):
        if x1 > x0 and y1 > y0:
            part = (slice(None), slice(y0, y1), slice(x0, x1))
            _capsule(
                keys[part], inside[part], x[x0:x1], y[y0:y1], ends[number, 0], axes[number], alongs[number],
                radii[number], np.float32(number),
            )  # fmt: skip


def _capsule(
    keys: np.ndarray, inside: np.ndarray, x: np.ndarray, y: np.ndarray, start: np.ndarray, axis: np.ndarray,
    along: np.ndarray, radii: np.ndarray, number: np.float32,
) -> None:  # fmt: skip
    """Keep the nearest surface and the distance inside the edge.

    At the place s along its axis (0..1) the surface stands sqrt(r(s)^2 - distance^2) before the axis.
    """
    dx, dy = x - start[0], y - start[1]  # (S, 1, w), (S, h, 1)
    place = dx * along[0] + dy * along[1]  # (S, h, w)
    np.maximum(place, 0, out=place)
    np.minimum(place, 1, out=place)
    radius = place * (radii[1] - radii[0])
    radius += radii[0]
    square = radius * radius
    off = dx - place * axis[0]
    off *= off
    square -= off
    np.multiply(place, axis[1], out=off)
    np.subtract(dy, off, out=off)
    off *= off
    square -= off
    place *= axis[2]
    place += start[2]
    place += np.minimum(square, 0)  # outside it falls off, so that an edge pixel never covers another limb
    place += np.sqrt(np.maximum(square, 0))
    place *= _STEPS
    np.floor(place, out=place)
    place *= _STEPS
    place += number
    radius += radius
    square /= radius  # (r^2 - d^2) / 2r is r - d near the edge
    np.maximum(keys, place, out=keys)
    np.maximum(inside, square, out=inside)


def shade(buffer: Buffer, albedo: np.ndarray, light: Light, *, softness: float) -> np.ndarray:
    """Colours (S, h, w, 3) float32 of a buffer, 0 where nothing covers it; `albedo` (C, 3) 0..255 a capsule.

    Normals come from the depth blurred over `softness` pixels, which melts the capsules into one body;
    hollows between limbs are darkened by how far they lie behind their surroundings.
    """
    import cv2

    S, h, w = buffer.depth.shape
    solid = (buffer.coverage > 0.5).astype(np.float32)
    flat = (buffer.depth * solid).reshape(S * h, w)
    weight = solid.reshape(S * h, w)
    depth = _spread(flat, weight, max(softness, 0.6))
    around = _spread(flat, weight, 5 * softness)
    seen = (buffer.coverage > 0).reshape(S * h, w)  # a quarter of the window
    gx = cv2.Sobel(depth, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)[seen]
    gy = cv2.Sobel(depth, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)[seen]
    length = np.sqrt(gx * gx + gy * gy + 1)
    lx, ly, lz = np.array(light.direction, np.float32) / np.float32(np.linalg.norm(light.direction))
    lambert = np.maximum((lz - gx * lx - gy * ly) / length, 0)
    hollow = np.clip((around[seen] - depth[seen]) * np.float32(0.35 / max(softness, 0.6) / 4), 0, 0.5)
    brightness = (light.ambient * (1 + 0.25 * gy / length) + light.direct * lambert) * (1 - hollow)
    halfway = np.array([lx, ly, lz + 1], np.float32) / np.float32(np.sqrt(2 + 2 * lz))
    shine = np.maximum((halfway[2] - gx * halfway[0] - gy * halfway[1]) / length, 0)
    shine *= shine
    shine *= shine
    shine *= shine
    shine *= shine
    own = albedo.astype(np.float32)[buffer.nearest.reshape(S * h, w)[seen]]
    colour = np.zeros((S * h, w, 3), np.float32)
    colour[seen] = own * brightness[:, None] + (255 * light.gloss) * shine[:, None]
    return colour.reshape(S, h, w, 3)


def _spread(depth: np.ndarray, weight: np.ndarray, reach: float) -> np.ndarray:
    """Blur of the depth over the body's own pixels alone; beyond the body it goes on flat."""
    import cv2

    size = 2 * round(reach) + 1
    blurred = cv2.blur(depth, (size, size))
    weights = cv2.blur(weight, (size, size))
    return blurred / np.maximum(weights, np.float32(1e-3))
