"""One performance filmed: frames, and the truth of every frame.

A frame gathers light over a part of the frame interval. The body is drawn at several instants of it, one for
about every two pixels that its fastest joint moves, each seen from where the panning camera is by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aqa_pipeline.simdive.camera import Camera, follow
from aqa_pipeline.simdive.flight import Performance
from aqa_pipeline.simdive.people import dressed
from aqa_pipeline.simdive.scene import Scene
from aqa_pipeline.simdive.shading import Buffer, rasterise, shade
from aqa_pipeline.simdive.splash import Splash
from aqa_pipeline.simdive.venue import Outfit, Venue

EXPOSURE = 0.22  # of the frame interval; longer ones show a fast hand as several hands
PIXELS_A_SUBFRAME, MOST_SUBFRAMES = 2.0, 6
SOFTNESS = 0.02  # metres over which the body's surface is smoothed
SEEN = 0.35  # share of the exposure in which the body must cover a pixel of its mask
SMALLEST = 0.003  # square metres of visible body, below which there is no athlete to find
DENSE = 0.5  # cover from which a pixel shows the splash and no more the body
UNSEEN, HIDDEN, VISIBLE = 0, 1, 2


@dataclass(frozen=True)
class Truth:
    """What is true of one frame; H, W its size."""

    box: np.ndarray  # (4,) float32 x1 y1 x2 y2 of the visible body, pixels; NaN where none is visible
    keypoints: np.ndarray  # (133, 3) float32 x, y and UNSEEN (under water, out of the picture), HIDDEN or VISIBLE
    mask: np.ndarray  # (H, W) bool, the visible body
    splash: np.ndarray  # (H, W) bool, where drops and foam cover more than they let through
    time: float  # seconds from the clip's start


class Film:
    """A camera crew at one dive; `shoot` yields the frames in order."""

    def __init__(
        self,
        performance: Performance,
        *,
        camera: Camera,
        venue: Venue,
        outfit: Outfit,
        fps: float,
        aftermath: float,
        rng: np.random.Generator,
    ) -> None:
        self.performance, self.camera, self.venue, self.fps = performance, camera, venue, fps
        self.times = np.arange(0.0, performance.duration + aftermath, 1 / fps)
        self._path = follow(_targets(performance, camera, self.times), rng, fps=fps)
        number = performance.number
        self._scene = Scene(camera, venue, self._path, rng, board=number.board, height=number.height_m)
        figure = performance.figure(0.0)
        self._albedo = dressed(figure.material, outfit) * np.array(venue.tint, np.float32)
        self._radii = figure.radii * camera.scale
        self._tolerance = _tolerance() * camera.scale
        self._splash = _splash(performance, rng)
        noise = rng.standard_normal((camera.height + 48, camera.width + 64, 3), np.float32)
        self._noise = np.clip(np.round(noise * venue.noise), -127, 127).astype(np.int8)
        self._grain = rng.integers(0, [48, 64], (len(self.times), 2))

    def shoot(self) -> Iterator[tuple[np.ndarray, Truth]]:
        """Frames (H, W, 3) uint8 RGB with their truth."""
        for index in range(len(self.times)):
            yield self._frame(index)

    def centre(self, time: float | np.ndarray) -> np.ndarray:
        """Where the camera looks at a time, metres of the view (..., 2)."""
        return np.stack([np.interp(time, self.times, column) for column in self._path.T], axis=-1)

    def _frame(self, index: int) -> tuple[np.ndarray, Truth]:
        import cv2

        time, shutter = float(self.times[index]), EXPOSURE / self.fps
        centre = self.centre(time)
        sweep = self.centre(time + shutter / 2) - self.centre(time - shutter / 2)
        frame = self._scene.background(centre, sweep=sweep, time=time)
        self._scene.draw_board(frame, centre, tip=self._tip(time))
        instants = self._instants(time, shutter)
        mask = np.zeros(frame.shape[:2], bool)
        buffer = self._draw_body(frame, mask, instants)
        cover = self._splash.cover(self.camera, centre, instants)
        splash = np.zeros_like(mask) if cover is None else cover >= DENSE
        if cover is not None:
            _whiten(frame, cover, self.venue)
            mask &= ~splash
        keypoints = self._keypoints(time, centre, buffer, cover)
        y, x = self._grain[index]
        h, w = frame.shape[:2]
        frame = cv2.add(frame, self._noise[y : y + h, x : x + w], dtype=cv2.CV_8U)
        return frame, Truth(box_of(mask, SMALLEST * self.camera.scale**2), keypoints, mask, splash, time)

    def _ends(self, times: np.ndarray) -> np.ndarray:
        """Capsule ends (S, C, 2, 3) in pixels at the times (S,)."""
        ends = np.stack([self.performance.figure(float(t)).ends for t in times])
        return self.camera.pixels(self.camera.view(ends), self.centre(times)[:, None, None])

    def _instants(self, time: float, shutter: float) -> np.ndarray:
        """Times at which the body is drawn for one exposure."""
        opened, closed = self._ends(np.array([time - shutter / 2, time + shutter / 2]))
        fastest = np.linalg.norm((closed - opened)[..., :2], axis=-1).max()
        count = int(np.clip(np.ceil(fastest / PIXELS_A_SUBFRAME), 1, MOST_SUBFRAMES))
        return time + shutter * ((np.arange(count) + 0.5) / count - 0.5)

    def _tip(self, time: float) -> float:
        """Height of the springboard's tip: under the feet while they stand on it, then it swings out."""
        height = self.performance.number.height_m
        since = time - self.performance.takeoff_time
        if since >= 0:
            return height + 0.16 * np.exp(-since / 0.5) * np.sin(2 * np.pi * 3.2 * since)
        figure = self.performance.figure(time)
        return min(height, float((figure.ends[..., 1] - figure.radii).min()))

    def _draw_body(self, frame: np.ndarray, mask: np.ndarray, instants: np.ndarray) -> Buffer | None:
        """Draw the body into the frame and its visible part into the mask, both in place."""
        camera = self.camera
        buffer = rasterise(self._ends(instants), self._radii, width=camera.width, height=camera.height)
        if buffer is None:
            return None
        colour = shade(buffer, self._albedo, self.venue.light, softness=SOFTNESS * camera.scale)
        height = self._above_water(buffer, instants)
        if height[buffer.coverage > 0].min(initial=np.inf) < 0.1:
            shown, colour = _submerge(height * camera.scale, colour, self.venue)
            seen = buffer.coverage * np.clip(height * camera.scale + 0.5, 0, 1)
        else:
            shown, seen = 1.0, buffer.coverage
        alpha = buffer.coverage * shown
        h, w = alpha.shape[1:]
        part = (slice(buffer.top, buffer.top + h), slice(buffer.left, buffer.left + w))
        colour = (np.clip(colour, 0, 255) * alpha[..., None]).mean(axis=0)
        frame[part] = frame[part] * (1 - alpha.mean(axis=0))[..., None] + colour
        mask[part] = seen.mean(axis=0) > SEEN
        return buffer

    def _above_water(self, buffer: Buffer, instants: np.ndarray) -> np.ndarray:
        """Height (S, h, w) over the water of what each pixel of the buffer shows, metres."""
        camera = self.camera
        rows = buffer.top + np.arange(buffer.depth.shape[1])
        up = self.centre(instants)[:, 1, None] + ((camera.height - 1) / 2 - rows) / camera.scale  # (S, h)
        depth = buffer.depth * np.float32(np.sin(camera.pitch) / camera.scale)
        return (np.cos(camera.pitch) * up).astype(np.float32)[:, :, None] + depth

    def _keypoints(
        self, time: float, centre: np.ndarray, buffer: Buffer | None, cover: np.ndarray | None
    ) -> np.ndarray:
        """Keypoints (133, 3) of one frame; those behind the body or the splash are HIDDEN."""
        camera = self.camera
        world = self.performance.figure(time).keypoints
        pixels = camera.pixels(camera.view(world), centre)
        x, y = np.round(pixels[:, :2]).astype(int).T
        seen = (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height) & (world[:, 1] > 0)
        state = np.where(seen, VISIBLE, UNSEEN)
        if buffer is not None:
            middle, (h, w) = len(buffer.depth) // 2, buffer.depth.shape[1:]
            i, j = np.clip(y - buffer.top, 0, h - 1), np.clip(x - buffer.left, 0, w - 1)
            before = buffer.depth[middle, i, j] - pixels[:, 2] > self._tolerance
            state[seen & before & (buffer.coverage[middle, i, j] > 0.5)] = HIDDEN
        if cover is not None:
            state[np.flatnonzero(seen)[cover[y[seen], x[seen]] > 0.5]] = HIDDEN
        return np.concatenate([pixels[:, :2], state[:, None]], axis=1).astype(np.float32)


def box_of(mask: np.ndarray, smallest: float) -> np.ndarray:
    """Box (4,) float32 around a mask (H, W), far edges exclusive; NaN where smaller than `smallest`."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(rows) or mask.sum() < max(1.0, smallest):
        return np.full(4, np.nan, np.float32)
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def _targets(performance: Performance, camera: Camera, times: np.ndarray) -> np.ndarray:
    """What the operator keeps in the middle (T, 2): the diver, and in the end the splash."""
    points = performance.keypoints(times)[:, :23]
    points[..., 1] = np.maximum(points[..., 1], 0.25)
    viewed = camera.view(points)[..., :2]
    return (viewed.min(axis=1) + viewed.max(axis=1)) / 2


def _splash(performance: Performance, rng: np.random.Generator) -> Splash:
    """The splash of a performance: along the line on which its body meets the water."""
    times = np.linspace(performance.entry_time, max(performance.submerged_time, performance.entry_time + 0.05), 12)
    body = performance.keypoints(times)[:, :23]
    near = np.exp(-((body[..., 1] / 0.15) ** 2)) + 1e-6
    places = (body[..., [0, 2]] * near[..., None]).sum(axis=1) / near.sum(axis=1)[:, None]
    middle = body.mean(axis=1)
    speed = (middle[-1] - middle[0]) / (times[-1] - times[0])
    return Splash(rng, times=times, places=places, size=performance.faults.splash, speed=speed)


def _tolerance() -> np.ndarray:
    """(133,) metres: how much nearer than a keypoint its own limb's surface may be; COCO-WholeBody order."""
    body = [0.05] * 5 + [0.11] * 2 + [0.08] * 2 + [0.07] * 2 + [0.14] * 2 + [0.10] * 2 + [0.08] * 2
    return np.array(body + [0.06] * 6 + [0.05] * 68 + [0.06] * 42)


def _submerge(height: np.ndarray, colour: np.ndarray, venue: Venue) -> tuple[np.ndarray, np.ndarray]:
    """Opacity (S, h, w), colour of a body `height` pixels over the water: foam at the line, faint below."""
    above = np.clip(height + 0.5, 0, 1)
    shown = above + (1 - above) * 0.3 * np.exp(np.minimum(height, 0) / 12)
    water = np.array(venue.water, np.float32) * np.array(venue.tint, np.float32)
    below = 0.35 * colour + 0.65 * water
    colour = below + (colour - below) * above[..., None]
    foam = 0.8 * np.exp(-((height / 2.5) ** 2))[..., None]
    return np.maximum(shown, foam[..., 0]), colour + (235 - colour) * foam


def _whiten(frame: np.ndarray, cover: np.ndarray, venue: Venue) -> None:
    """Lay the splash over the frame, in place: white where dense, the water's tint at its thin edges."""
    rows, columns = np.flatnonzero(cover.max(axis=1) > 0.01), np.flatnonzero(cover.max(axis=0) > 0.01)
    if not len(rows):
        return
    part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    opacity = cover[part][..., None]
    tint = np.array(venue.tint, np.float32)
    white = np.minimum(np.array([238, 244, 248], np.float32) * tint, 255)
    thin = (0.45 * np.array(venue.water, np.float32) + 140) * tint
    colour = np.minimum(thin, 255) + (white - np.minimum(thin, 255)) * opacity
    frame[part] = frame[part] + (colour - frame[part]) * (0.96 * opacity)
