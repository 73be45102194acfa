"""What divers stand on: the tower with its platforms, the springboard that bends, the deck."""

from __future__ import annotations

import numpy as np

from aqa_pipeline.simdive.camera import Camera
from aqa_pipeline.simdive.canvas import Canvas, mixed, shaded
from aqa_pipeline.simdive.venue import Venue

EDGE = -1.5  # where the deck ends and the water begins, metres from the tip of the board
BOARD = (222, 238, 224)
_LENGTH, _FULCRUM = 4.88, -3.2  # metres: of a springboard, and where it bends
LANDINGS = ((7.5, -1.2), (5.0, -1.6), (3.0, -1.6))  # lower platforms: height and where they end, metres


def paint_deck(canvas: Canvas, venue: Venue, *, bottom: float, depth: float) -> float:
    """The deck beyond the pool, with its tiles; returns its far edge in the view."""
    top = bottom + depth * np.sin(canvas.camera.pitch)
    canvas.band(bottom, top, venue.deck)
    canvas.band(bottom, bottom + 0.12, shaded(venue.deck, 0.8))
    for left in np.arange(canvas.low[0], canvas.high[0], 1.0):
        canvas.line(np.array([(left, bottom), (left + 0.2, top)]), shaded(venue.deck, 0.93), 0.02)
    return float(top)


def paint_near_deck(canvas: Canvas, venue: Venue) -> None:
    """The deck at the diver's back, on which the tower or the boards stand."""
    canvas.box((-40.0, -0.6, -venue.pool_width), (EDGE, 0.25, 60.0), venue.deck)
    for x in np.arange(EDGE - 1, -14, -1.0):
        canvas.line(
            canvas.camera.stage([(x, 0.25, -venue.pool_width), (x, 0.25, 20)]), shaded(venue.deck, 1.03), 0.02
        )


def paint_tower(canvas: Canvas, venue: Venue, *, height: float) -> None:
    """A concrete tower whose top platform ends at x = 0, with the lower platforms behind it."""
    grey = venue.concrete
    canvas.box((-9.0, 0.0, -5.2), (-7.4, height + 0.4, -1.8), shaded(grey, 0.72))
    for level, end in LANDINGS:
        if level < height - 1:
            canvas.box((-9.0, level - 0.3, -4.6), (end, level, -2.4), shaded(grey, 0.85))
            _rail(canvas, level, end - 0.9, z=-4.5)
    canvas.box((-6.2, 0.0, -0.7), (-5.0, height, 0.7), shaded(grey, 0.8))
    canvas.box((-9.0, height - 0.32, -1.4), (0.0, height - 0.05, 1.4), grey)
    canvas.box((-9.0, height - 0.05, -1.4), (0.0, height, 1.4), mixed(grey, venue.accent, 0.35))
    _rail(canvas, height, -1.2, z=-1.35)
    _rail(canvas, height, -1.2, z=1.35)
    plate = canvas.camera.stage((-1.3, height - 0.27, 1.4))
    canvas.text(venue.words[:6], plate[0] - 0.5, plate[1], 0.16, (250, 250, 250))


def paint_springboards(canvas: Canvas, venue: Venue, rng: np.random.Generator, *, height: float) -> None:
    """The stand below the diver's board, and two or three boards behind it."""
    stand = shaded(venue.concrete, 0.85)
    for place in range(int(rng.integers(2, 4)), 0, -1):
        z, level = -2.6 * place, float(rng.choice([1.0, 3.0]))
        canvas.box((-8, 0.0, z - 0.4), (-3.8, level - 0.35, z + 0.4), stand)
        canvas.box(
            (-_LENGTH, level - 0.07, z - 0.25), (0.0, level, z + 0.25), mixed(BOARD, venue.accent, 0.15)
        )
        _rail(canvas, level, -2.6, z=z - 0.35)
    canvas.box((-8, 0.0, -0.45), (_FULCRUM - 0.5, height - 0.4, 0.45), stand)
    canvas.box((_FULCRUM - 0.25, height - 0.5, -0.3), (_FULCRUM + 0.25, height - 0.08, 0.3), (70, 74, 82))
    _rail(canvas, height, -2.4, z=-0.4)


def _rail(canvas: Canvas, level: float, end: float, *, z: float) -> None:
    """Hand rails of steel from the far end of a board to `end`, metres."""
    steel = (196, 200, 206)
    for up in (0.5, 1.0):
        canvas.line(canvas.camera.stage([(-9.0, level + up, z), (end, level + up, z)]), steel, 0.032)
    for x in np.arange(end, -9.0, -1.3):
        canvas.line(canvas.camera.stage([(x, level, z), (x, level + 1.0, z)]), steel, 0.032)


def springboard(camera: Camera, *, height: float, tip: float) -> tuple[np.ndarray, np.ndarray]:
    """Top and edge of the diver's board, each (n, 3) in the view, its tip `tip` m over the water."""
    x = np.linspace(-_LENGTH, 0.0, 9)
    bend = np.where(x > _FULCRUM, ((x - _FULCRUM) / -_FULCRUM) ** 2, 0) * (tip - height)
    far, near = (np.stack([x, height + bend, np.full(9, z)], axis=1) for z in (-0.25, 0.25))
    under = near - [0, 0.05, 0]
    top, edge = np.concatenate([far, near[::-1]]), np.concatenate([near, under[::-1]])
    return camera.stage(top), camera.stage(edge)
