"""The broadcast camera: a distant side view that pans after the diver.

The view is orthographic, as it nearly is through the long lens that films diving, so panning moves the whole
picture alike. Picture coordinates are pixels, (0, 0) the centre of the first; depth grows towards the camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Camera:
    """Where the camera stands and how near it looks; angles in radians, `scale` in pixels a metre."""

    yaw: float
    pitch: float
    scale: float
    width: int
    height: int

    @cached_property
    def axes(self) -> np.ndarray:
        """(3, 3): the picture's right, its up, and the way towards the camera, as rows in world axes."""
        towards = np.array(
            [np.sin(self.yaw) * np.cos(self.pitch), np.sin(self.pitch), np.cos(self.yaw) * np.cos(self.pitch)]
        )
        right = np.array([np.cos(self.yaw), 0.0, -np.sin(self.yaw)])
        return np.stack([right, np.cross(towards, right), towards])

    @property
    def mirrored(self) -> bool:
        """Whether the diver travels to the left: the camera stands on the other side of the pool."""
        return bool(np.cos(self.yaw) < 0)

    def stage(self, points: np.ndarray) -> np.ndarray:
        """View of points (..., 3) of the stage: the world, but with z always towards the camera."""
        return self.view(np.asarray(points, float) * [1, 1, -1 if self.mirrored else 1])

    def view(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in metres to (..., 3): right, up and depth, metres."""
        return points @ self.axes.T

    def pixels(self, viewed: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Viewed points (..., 3) to pixels x, y and depth for a camera that looks at `centre` (..., 2)."""
        middle = np.array([(self.width - 1) / 2, (self.height - 1) / 2])
        flat = (viewed[..., :2] - centre) * np.array([self.scale, -self.scale]) + middle
        return np.concatenate([flat, viewed[..., 2:] * self.scale], axis=-1)


def draw_camera(rng: np.random.Generator, *, width: int, height: int) -> Camera:
    """A camera on either side of the pool that sees 2.4 to 3.4 m of height."""
    yaw = rng.uniform(-0.16, 0.16) + np.pi * rng.integers(2)
    pitch = rng.uniform(0.08, 0.2)
    return Camera(yaw=yaw, pitch=pitch, scale=height * rng.uniform(0.29, 0.41), width=width, height=height)


def follow(targets: np.ndarray, rng: np.random.Generator, *, fps: float) -> np.ndarray:
    """The path of a hand-led camera after `targets` (T, 2), metres of the view, one a frame: (T, 2).

    The operator knows the dive, so the path is smooth rather than late: a low pass, a delay of up to 30 ms,
    a slow wander of some centimetres and an off-centre framing.
    """
    delayed = _shift(_smooth(targets, 0.06 * fps), rng.uniform(0.0, 0.03) * fps)
    wander = _smooth(rng.normal(size=(len(targets) + 1, 2)), 0.3 * fps)[: len(targets)]
    wander *= 0.05 / max(float(wander.std()), 1e-6)
    return delayed + wander + rng.uniform(-0.15, 0.15, size=2)


def _smooth(signal: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian low pass along the first axis; the ends are held."""
    reach = max(1, int(np.ceil(3 * sigma)))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2)
    padded = np.pad(signal, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel / kernel.sum(), mode="valid") for column in padded.T], axis=1)


def _shift(signal: np.ndarray, delay: float) -> np.ndarray:
    """The signal `delay` samples later, linearly interpolated."""
    times = np.arange(len(signal))
    return np.stack([np.interp(times - delay, times, column) for column in signal.T], axis=1)
