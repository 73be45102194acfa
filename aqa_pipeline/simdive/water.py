"""The pool: painted once a clip, with light that plays on it from frame to frame."""

from __future__ import annotations

import numpy as np

from aqa_pipeline.simdive.canvas import Canvas, mixed, shaded
from aqa_pipeline.simdive.venue import Venue

_TILE = 256  # pixels after which the play of light repeats


def far_edge(canvas: Canvas, venue: Venue) -> float:
    """Height in the view of the pool's far edge, metres."""
    return float(venue.pool_width * np.sin(canvas.camera.pitch))


def paint_pool(canvas: Canvas, venue: Venue, rng: np.random.Generator) -> None:
    """Water from the far edge down: darker far away, lines on the floor, the hall mirrored, all rippled."""
    top = canvas.row(far_edge(canvas, venue))
    water = canvas.pixels[top:]
    if not len(water):
        return
    depth = np.linspace(0, len(water) / canvas.camera.scale / 5, len(water))[:, None, None]
    near, far = np.array(shaded(venue.water, 1.08)), np.array(shaded(venue.water, 0.78))
    water[:] = np.clip(far + (near - far) * np.minimum(depth, 1), 0, 255)
    _lanes(canvas, venue, rng)
    _mirror(canvas, top)
    _ripple(water, rng, scale=canvas.camera.scale)
    edge = far_edge(canvas, venue)
    canvas.line(np.array([(canvas.low[0], edge), (canvas.high[0], edge)]), shaded(venue.deck, 1.1), 0.08)


def _lanes(canvas: Canvas, venue: Venue, rng: np.random.Generator) -> None:
    """Dark lines on the floor that run away from the camera."""
    colour, far = mixed(venue.lanes, venue.water, 0.25), -venue.pool_width
    for x in np.arange(-12 + rng.uniform(0, 2.5), 25, 2.5):
        canvas.polygon(
            canvas.camera.stage([(x, 0, far), (x + 0.28, 0, far), (x + 0.28, 0, 20), (x, 0, 20)]), colour
        )


def _mirror(canvas: Canvas, top: int) -> None:
    """The hall in the water, fading towards the camera."""
    rows = min(top, len(canvas.pixels) - top, round(2.5 * canvas.camera.scale))
    if rows < 2:
        return
    image = canvas.pixels[top - rows : top][::-1].astype(np.float32)
    share = np.linspace(0.3, 0.0, rows, dtype=np.float32)[:, None, None]
    water = canvas.pixels[top : top + rows]
    water[:] = water + (image - water) * share


def _ripple(water: np.ndarray, rng: np.random.Generator, *, scale: float) -> None:
    """Displace the painted water in place, more the nearer to the camera."""
    import cv2

    h, w = water.shape[:2]
    noise = _waves(rng, h, w, across=0.25 * scale, along=0.07 * scale)
    amount = np.linspace(0.2, 1.0, h, dtype=np.float32)[:, None] * np.float32(0.06 * scale)
    x = np.arange(w, dtype=np.float32) + amount * noise
    y = np.arange(h, dtype=np.float32)[:, None] + 0.6 * amount * np.roll(noise, 7, axis=1)
    water[:] = cv2.remap(water, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    shimmer = 12 * noise[..., None] * np.linspace(0.3, 1, h, dtype=np.float32)[:, None, None]
    water[:] = np.clip(water + shimmer, 0, 255)


def _waves(rng: np.random.Generator, h: int, w: int, *, across: float, along: float) -> np.ndarray:
    """Smooth noise (h, w) float32 of unit spread, longer in x than in y."""
    import cv2

    step = max(
        1, int(along)
    )  # made coarse and enlarged: blurring at full size costs more than the rest of the pool
    coarse = rng.normal(size=(h // step + 4, max(4, int(w * along / across) // step + 4))).astype(np.float32)
    coarse = cv2.GaussianBlur(coarse, (0, 0), 0.8)
    waves = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)
    return waves / np.float32(max(float(waves.std()), 1e-6))


class PlayOfLight:
    """Glints that move over the water: two wave textures that drift against each other."""

    def __init__(self, rng: np.random.Generator, *, width: int, height: int, scale: float) -> None:
        self._sheets = [self._sheet(rng, width, height, scale) for _ in range(2)]
        self._drift = rng.uniform(0.3, 0.7, size=2) * scale  # pixels a second
        self.strength = rng.uniform(6, 14)

    @staticmethod
    def _sheet(rng: np.random.Generator, width: int, height: int, scale: float) -> np.ndarray:
        tile = _waves(rng, _TILE, _TILE, across=0.30 * scale, along=0.05 * scale)
        repeats = (-(-height // _TILE) + 1, -(-width // _TILE) + 1)
        blend = np.clip(np.minimum(np.arange(_TILE), np.arange(_TILE)[::-1]) / 16, 0, 1).astype(np.float32)
        tile = tile * blend[:, None] * blend[None]  # fades at its edges, so that repeats do not show a seam
        return np.tile(tile, repeats)

    def add(self, frame: np.ndarray, *, first_row: int, corner: np.ndarray, time: float) -> None:
        """Light up the frame (h, w, 3) from `first_row` down, in place; `corner`: its place on the canvas."""
        import cv2

        h, w = frame.shape[0] - first_row, frame.shape[1]
        if h <= 0:
            return
        total = np.zeros((h, w), np.float32)
        for sheet, sign in zip(self._sheets, (1, -1), strict=True):
            x, y = np.round(corner + sign * self._drift * time).astype(int) % _TILE
            total += sheet[y : y + h, x : x + w]
        glint = np.maximum(total - 0.8, 0)
        glint = cv2.merge([self.strength * (total + 1.6 * glint * glint)] * 3)
        frame[first_row:] = cv2.add(frame[first_row:], glint, dtype=cv2.CV_8U)
