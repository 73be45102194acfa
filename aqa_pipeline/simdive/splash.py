"""The splash of an entry: drops thrown up and falling back, foam on the water, bubbles below it.

Its size follows the fault of that name: a rip entry throws up little and boils, a bad one throws a crown
as high as the diver is tall.
"""

from __future__ import annotations

import numpy as np

from aqa_pipeline.simdive.camera import Camera

_GRAVITY = 9.81
_DRAG = 1.1  # 1/s, what air takes from drops of some millimetres


class Splash:
    """Drops of an entry that meets the water at `places` (n, 2), x and z, metres, at `times` (n,), seconds.

    `size` runs from 0 to 1; `speed` (3,) is how fast the body goes in, metres a second.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        times: np.ndarray,
        places: np.ndarray,
        size: float,
        speed: np.ndarray,
    ) -> None:
        self.start, self._end = float(times[0]), float(times[-1])
        self.size = float(np.clip(size, 0.0, 1.0))
        self.place = np.array([places[:, 0].mean(), 0.0, places[:, 1].mean()])
        self.length = float(np.ptp(places[:, 0]))
        self._times, self._places = times, places
        self._drops(rng, speed)
        self.foam = rng.uniform(0.0, 1.0, size=(5, 14)).astype(np.float32)

    def _drops(self, rng: np.random.Generator, speed: np.ndarray) -> None:
        """A crown thrown outwards while the body passes, then a jet as the hole behind it closes."""
        size, force = self.size, np.sqrt(abs(speed[1]) / 12.0)
        crown, jet = int(250 + 2200 * size), int(150 + 1100 * size)
        count = crown + jet
        in_jet = np.arange(count) >= crown
        meets = self.start + (self._end - self.start) * np.where(in_jet, 0.2, 0.8) * rng.beta(1.2, 1.6, count)
        closing = 0.6 * (self._end - self.start) + rng.uniform(0.0, 0.14, count)
        self._born = np.where(in_jet, meets + closing, meets)
        angle = rng.uniform(0, 2 * np.pi, count)
        ring = (0.08 + 0.20 * size) * np.sqrt(rng.uniform(0, 1, count)) * np.where(in_jet, 0.6, 1.0)
        up = (0.8 + 5.6 * size) * force * rng.beta(1.2, 2.6, count) * np.where(in_jet, 1.35, 1.0)
        out = np.where(in_jet, 0.08, 0.15 + 0.5 * rng.uniform(size=count)) * (0.4 + 0.5 * up)
        heading = np.stack([np.cos(angle), np.zeros(count), np.sin(angle)], axis=1)
        where = [np.interp(meets, self._times, column) for column in self._places.T]
        self._from = np.stack([where[0], np.zeros(count), where[1]], axis=1) + ring[:, None] * heading
        self._speed = out[:, None] * heading + up[:, None] * [0, 1, 0]
        self._speed[:, 0] += (
            speed[0] * (0.2 + 0.4 * size) * rng.uniform(0.2, 1.0, count)
        )  # water follows the fall
        self._mass = rng.gamma(1.2, 0.7, count)

    def positions(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        """World places (n, 3) of the drops in the air at one time, and their masses (n,)."""
        age = time - self._born
        flying = age > 0
        age = age[flying, None]
        slowed = (1 - np.exp(-_DRAG * age)) / _DRAG
        fall = np.array([0, _GRAVITY / _DRAG, 0]) * (age - slowed)
        place = self._from[flying] + self._speed[flying] * slowed - fall
        above = place[:, 1] > 0
        return place[above], self._mass[flying][above]

    def cover(self, camera: Camera, centre: np.ndarray, times: np.ndarray) -> np.ndarray | None:
        """Share of each pixel (H, W) that drops and foam hide, a mean over `times`; None before the entry."""
        if times[-1] < self.start:
            return None
        cover = _bubbles(self, camera, centre, float(times[-1]))
        air = np.zeros((camera.height, camera.width), np.float32)
        for time in times:
            place, mass = self.positions(float(time))
            _splat(air, camera.pixels(camera.view(place), centre), mass / len(times))
        return 1 - (1 - cover) * (1 - _veil(air, camera.scale))

    def age(self, time: float) -> float:
        """Seconds since first contact."""
        return time - self.start


def _splat(air: np.ndarray, pixels: np.ndarray, mass: np.ndarray) -> None:
    """Add drops at pixels (n, 3) to the picture, shared between the four nearest pixels."""
    h, w = air.shape
    x, y = pixels[:, 0], pixels[:, 1]
    seen = (x >= 0) & (x < w - 1) & (y >= 0) & (y < h - 1)
    x, y, mass = x[seen], y[seen], mass[seen]
    i, j = y.astype(int), x.astype(int)
    fx, fy = x - j, y - i
    index = i * w + j
    places = np.concatenate([index, index + 1, index + w, index + w + 1])
    weights = np.concatenate([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy]) * np.tile(mass, 4)
    air += np.bincount(places, weights=weights, minlength=h * w).reshape(h, w).astype(np.float32)


def _veil(air: np.ndarray, scale: float) -> np.ndarray:
    """Drops to opacity: single drops stay crisp, dense water becomes a white sheet."""
    import cv2

    near = cv2.GaussianBlur(air, (0, 0), max(0.5, 0.011 * scale))
    wide = cv2.GaussianBlur(near, (0, 0), 0.045 * scale)
    unit = np.float32((scale / 60.0) ** 2)
    return 1 - np.exp(-unit * (0.9 * near + 1.1 * wide))


def _bubbles(splash: Splash, camera: Camera, centre: np.ndarray, time: float) -> np.ndarray:
    """Foam that spreads on the surface and the pale trail of air below it."""
    import cv2

    cover = np.zeros((camera.height, camera.width), np.float32)
    age = splash.age(time)
    x, y, _ = camera.pixels(camera.view(splash.place), centre)
    flat = max(np.sin(camera.pitch), 0.06)
    radius = (0.1 + splash.length / 2 + (0.25 + 0.75 * splash.size) * np.sqrt(min(age, 1.0))) * camera.scale
    height = max(2.0, radius * flat * 1.4)
    left, right = int(max(0, x - radius)), int(min(camera.width, x + radius + 1))
    top, bottom = int(max(0, y - height)), int(min(camera.height, y + height + 1))
    if right - left < 2 or bottom - top < 2:
        return cover
    gx = (np.arange(left, right, dtype=np.float32) - x) / radius
    gy = (np.arange(top, bottom, dtype=np.float32)[:, None] - y) / height
    texture = cv2.resize(splash.foam, (right - left, bottom - top), interpolation=cv2.INTER_CUBIC)
    edge = 1.15 - np.sqrt(gx * gx + gy * gy) - 0.5 * texture
    fade = np.float32(np.clip(age / 0.06, 0, 1) * (0.6 + 0.4 * splash.size) * np.exp(-0.35 * age))
    cover[top:bottom, left:right] = np.clip(2.2 * edge, 0, 1) * fade
    return cover
