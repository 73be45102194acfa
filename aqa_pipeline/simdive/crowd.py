"""The far side of the hall, painted once a clip: tiers of seats with people, advertising boards and walls.

It lies some 30 m behind the diver, so everything here is about half as large as it would be beside the pool.
"""

from __future__ import annotations

import numpy as np

from aqa_pipeline.simdive.canvas import Canvas, mixed, shaded
from aqa_pipeline.simdive.venue import HAIR, SKIN, Venue

_FAR = 0.45  # size of things behind the pool, by perspective
_ROW = 0.66 * _FAR  # metres of the view from one row of seats to the next
_SEAT = 0.52 * _FAR
_HEADS = [(hair, skin) for hair in HAIR for skin in SKIN]


def paint_stands(canvas: Canvas, venue: Venue, rng: np.random.Generator, *, bottom: float) -> None:
    """From `bottom`, metres of the view, to the canvas' top: boards, tiers and walls in turn."""
    import cv2

    up = bottom
    canvas.band(up, canvas.high[1] + 1, shaded(venue.wall, 0.8))
    up = _boards(canvas, venue, rng, bottom=up, height=rng.uniform(0.7, 1.1))
    while up < canvas.high[1]:
        up = _tier(canvas, venue, rng, bottom=up, rows=int(rng.integers(5, 13)))
        if rng.uniform() < 0.6:
            up = _boards(canvas, venue, rng, bottom=up, height=rng.uniform(0.5, 1.0))
        if rng.uniform() < 0.7:
            up = _wall(canvas, venue, rng, bottom=up, height=rng.uniform(0.8, 2.5))
    far = canvas.pixels[: canvas.row(bottom)]
    if len(far):
        sigma = canvas.camera.scale * rng.uniform(0.010, 0.024)  # the lens is focused on the diver
        cv2.GaussianBlur(far, (0, 0), sigma, dst=far)


def _boards(canvas: Canvas, venue: Venue, rng: np.random.Generator, *, bottom: float, height: float) -> float:
    """Advertising boards with words and marks; returns their upper edge."""
    left, colours = canvas.low[0] - rng.uniform(0, 3), (venue.accent, venue.wall, (235, 235, 235))
    while left < canvas.high[0]:
        width = rng.uniform(2.0, 5.0)
        colour = colours[int(rng.integers(3))]
        ink = (245, 245, 245) if np.mean(colour) < 150 else (40, 45, 70)
        right, top = left + width, bottom + height
        corners = np.array([(left, bottom), (right, bottom), (right, top), (left, top)])
        canvas.polygon(corners, colour)
        if rng.uniform() < 0.75:
            canvas.text(venue.words, left + 0.15 * width, bottom + 0.28 * height, 0.42 * height, ink)
        else:
            _marks(
                canvas,
                rng,
                centre=np.array([left + width / 2, bottom + height / 2]),
                size=0.3 * height,
                colour=ink,
            )
        canvas.line(corners[[0, 3]], shaded(colour, 0.6), 0.03)
        left += width
    canvas.line(np.array([(canvas.low[0], bottom), (canvas.high[0], bottom)]), (30, 30, 35), 0.05)
    return bottom + height


def _marks(canvas: Canvas, rng: np.random.Generator, *, centre: np.ndarray, size: float, colour) -> None:
    """A row of rings or lozenges, as sponsors and games have."""
    import cv2

    corners = int(rng.choice([4, 24]))
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    for place in range(-2, 3):
        ring = centre + [place * 2.1 * size, 0] + size * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        points = np.round(canvas.place(ring)).astype(np.int32)
        cv2.polylines(
            canvas.pixels,
            [points],
            True,
            colour,
            max(1, round(0.2 * size * canvas.camera.scale)),
            cv2.LINE_AA,
        )


def _wall(canvas: Canvas, venue: Venue, rng: np.random.Generator, *, bottom: float, height: float) -> float:
    """A plain wall with joints and, now and then, large words; returns its upper edge."""
    colour = shaded(venue.wall, rng.uniform(0.55, 1.15))
    canvas.band(bottom, bottom + height, colour)
    for left in np.arange(canvas.low[0] + rng.uniform(0, 2), canvas.high[0], rng.uniform(1.2, 2.5)):
        canvas.line(np.array([(left, bottom), (left, bottom + height)]), shaded(colour, 0.85), 0.04)
    if rng.uniform() < 0.6:
        left = rng.uniform(canvas.low[0], canvas.high[0] - 2)
        canvas.text(
            venue.words, left, bottom + 0.3 * height, 0.35 * height, mixed(colour, (255, 255, 255), 0.7)
        )
    canvas.band(bottom + height - 0.06, bottom + height, shaded(colour, 0.5))
    return bottom + height


def _tier(canvas: Canvas, venue: Venue, rng: np.random.Generator, *, bottom: float, rows: int) -> float:
    """Rows of seats, the far ones first, with stairs between the blocks; returns the upper edge."""
    top = bottom + rows * _ROW
    canvas.band(bottom, top, shaded(venue.seats, 0.4 * venue.dimness))
    stairs = np.arange(canvas.low[0] + rng.uniform(0, 5), canvas.high[0] + 3, rng.uniform(4, 7))
    slope = rng.uniform(-0.4, 0.4)
    for row in reversed(range(rows)):
        _row(canvas, venue, rng, bottom=bottom + row * _ROW, gaps=stairs + slope * row * _ROW)
    for left in stairs:
        edge = np.array([(left, bottom), (left + slope * (top - bottom), top)])
        canvas.line(edge, shaded((170, 168, 160), venue.dimness), 0.55 * _FAR)
        canvas.line(edge + np.array([0.3 * _FAR, 0]), (90, 90, 92), 0.06)
    return top


def _row(canvas: Canvas, venue: Venue, rng: np.random.Generator, *, bottom: float, gaps: np.ndarray) -> None:
    """One row: seat backs, then the people in the taken ones."""
    import cv2

    if canvas.row(bottom) == 0 or canvas.row(bottom + _ROW) == len(canvas.pixels):
        return  # not in the picture
    canvas.band(bottom, bottom + 0.42 * _FAR, shaded(venue.seats, venue.dimness))
    canvas.band(bottom, bottom + 0.06, shaded(venue.seats, 0.5 * venue.dimness))
    places = np.arange(canvas.low[0], canvas.high[0] + _SEAT, _SEAT)
    places = places[rng.uniform(size=len(places)) < venue.crowd]
    places = places + rng.normal(0, 0.03, len(places))
    places = places[np.abs(places[:, None] - gaps).min(axis=1) > 0.4 * _FAR]
    pixels = canvas.place(np.stack([places, np.full(len(places), bottom)], axis=1))
    pixels[:, 1] -= rng.normal(0, 0.02, len(places)) * canvas.camera.scale
    unit = _FAR * canvas.camera.scale
    clothes = _clothes(rng, len(places), venue.dimness)
    heads = rng.integers(len(_HEADS), size=len(places))
    radius = max(1, round(0.15 * unit))
    for (x, y), cloth, head in zip(np.round(pixels).astype(int).tolist(), clothes, heads, strict=True):
        hair, skin = _HEADS[head]
        shoulders, lap = (x, y - round(0.42 * unit)), (x, y - round(0.05 * unit))
        cv2.line(
            canvas.pixels, shoulders, lap, cloth, max(2, round(0.42 * unit))
        )  # a thick line has round ends
        cv2.circle(canvas.pixels, (x, y - round(0.76 * unit)), radius, shaded(hair, venue.dimness), -1)
        cv2.circle(
            canvas.pixels, (x, y - round(0.70 * unit)), max(1, radius - 1), shaded(skin, venue.dimness), -1
        )


def _clothes(rng: np.random.Generator, count: int, dimness: float) -> list[tuple[float, float, float]]:
    """Shirts: most of them grey, white or dark, the rest coloured, none of them glaring."""
    grey = 20 + 215 * rng.beta(0.9, 1.4, (count, 1)) + rng.normal(0, 5, (count, 3))
    coloured = 0.45 * grey + 0.55 * rng.uniform(10, 215, (count, 3))
    chosen = dimness * np.where(rng.uniform(size=(count, 1)) < 0.6, grey, coloured)
    return [tuple(row) for row in np.clip(chosen, 0, 255).tolist()]
