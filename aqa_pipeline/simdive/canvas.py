"""A picture larger than the screen, on which a venue is painted once a clip, in metres of the view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aqa_pipeline.simdive.camera import Camera

Colour = tuple[float, float, float]
_FRACTION = 4  # OpenCV takes corners in 1/16 pixel


class Canvas:
    """`pixels` (h, w, 3) uint8 that cover the view from corner `low` to `high` (2,), metres."""

    def __init__(self, camera: Camera, low: np.ndarray, high: np.ndarray) -> None:
        width, height = np.ceil((high - low) * camera.scale).astype(int) + 1
        self.camera, self.low, self.high = camera, low, high
        self.pixels = np.zeros((int(height), int(width), 3), np.uint8)

    def place(self, view: np.ndarray) -> np.ndarray:
        """Points (..., 2 or 3) of the view, metres, to pixels (..., 2) of the canvas."""
        return (np.asarray(view)[..., :2] - [self.low[0], self.high[1]]) * [
            self.camera.scale,
            -self.camera.scale,
        ]

    def row(self, up: float) -> int:
        """The row of pixels at a height of the view."""
        return int(np.clip(round((self.high[1] - up) * self.camera.scale), 0, len(self.pixels)))

    def polygon(self, view: np.ndarray, colour: Colour) -> None:
        """A filled convex polygon (n, 2 or 3), metres of the view."""
        import cv2

        corners = np.round(self.place(view) * 2**_FRACTION).astype(np.int32)
        cv2.fillConvexPoly(self.pixels, corners, colour, lineType=cv2.LINE_AA, shift=_FRACTION)

    def band(self, bottom: float, top: float, colour: Colour) -> None:
        """A stripe over the whole width."""
        self.pixels[self.row(top) : self.row(bottom)] = np.round(colour)

    def line(self, view: np.ndarray, colour: Colour, thickness: float) -> None:
        """A line through points (n, 2 or 3) of the view, `thickness` in metres."""
        import cv2

        points = np.round(self.place(view) * 2**_FRACTION).astype(np.int32)
        width = max(1, round(thickness * self.camera.scale))
        cv2.polylines(self.pixels, [points], False, colour, width, cv2.LINE_AA, _FRACTION)

    def box(self, low: Sequence[float], high: Sequence[float], colour: Colour) -> None:
        """A box between two corners of the stage, metres: its top lit, its side plain, its end in shade."""
        (x0, y0, z0), (x1, y1, z1) = low, high
        end = x1 if self.camera.axes[2, 0] > 0 else x0
        faces = (
            ([(x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)], 1.12),
            ([(end, y0, z0), (end, y1, z0), (end, y1, z1), (end, y0, z1)], 0.72),
            ([(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)], 0.92),
        )
        for corners, light in faces:
            self.polygon(self.camera.stage(corners), shaded(colour, light))

    def text(self, words: str, left: float, bottom: float, height: float, colour: Colour) -> None:
        """Words whose capitals are `height` metres tall; never mirrored."""
        import cv2

        x, y = self.place(np.array([left, bottom]))
        scale = height * self.camera.scale / 21.0  # this font's capitals are 21 pixels tall at scale 1
        thickness = max(1, round(2.2 * scale))
        cv2.putText(
            self.pixels,
            words,
            (round(x), round(y)),
            cv2.FONT_HERSHEY_SIMPLEX,
            scale,
            colour,
            thickness,
            cv2.LINE_AA,
        )


def shaded(colour: Colour, light: float) -> Colour:
    """A colour under more or less light."""
    return tuple(float(min(255.0, channel * light)) for channel in colour)


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other colour in the one."""
    return tuple(float(a + (b - a) * share) for a, b in zip(one, other, strict=True))
