"""What divers stand on: the tower with its platforms, the springboard that bends, and the deck with people by it."""

from __future__ import annotations

import numpy as np

from aqa_pipeline.simdive import body as bodies
from aqa_pipeline.simdive.camera import Camera
from aqa_pipeline.simdive.canvas import Canvas, mixed, shaded
from aqa_pipeline.simdive.shading import rasterise, shade
from aqa_pipeline.simdive.venue import Outfit, Venue, draw_outfit

_BOARD = 4.88  # metres, a springboard's length; its fulcrum stands a third from the tip's far end
_FULCRUM = -3.2
EDGE = -1.5
BOARD = (222, 238, 224)
LANDINGS = ((7.5, -1.2), (5.0, -1.6), (3.0, -1.6))  # lower platforms: height and where they end, metres


def paint_deck(canvas: Canvas, venue: Venue, *, bottom: float, depth: float) -> float:
    """The deck beyond the pool, its tiles and chairs; returns its far edge in the view."""
    top = bottom + depth * np.sin(canvas.camera.pitch)
    canvas.band(bottom, top, venue.deck)
    canvas.band(bottom, bottom + 0.12, shaded(venue.deck, 0.8))
    for left in np.arange(canvas.low[0], canvas.high[0], 1.0):
        canvas.line(np.array([(left, bottom), (left + 0.2, top)]), shaded(venue.deck, 0.93), 0.02)
    return float(top)


def paint_near_deck(canvas: Canvas, venue: Venue) -> None:
    """The deck on which the tower or the boards stand, at the diver's back; it ends 1.5 m behind the board's tip."""
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
            (-_BOARD, level - 0.07, z - 0.25), (0.0, level, z + 0.25), mixed(BOARD, venue.accent, 0.15)
        )
        _rail(canvas, level, -2.6, z=z - 0.35)
    canvas.box((-8, 0.0, -0.45), (_FULCRUM - 0.5, height - 0.4, 0.45), stand)
    canvas.box((_FULCRUM - 0.25, height - 0.5, -0.3), (_FULCRUM + 0.25, height - 0.08, 0.3), (70, 74, 82))
    _rail(canvas, height, -2.4, z=-0.4)


def _rail(canvas: Canvas, level: float, end: float, *, z: float) -> None:
    """Hand rails of steel from the far end of a board to `end`, metres."""
    steel = (196, 200, 206)
    for up in (0.5, 1.0):
        canvas.line(canvas.camera.stage([(-9.0, level + up, z), (end, level + up, z)]), steel, 0.045)
    for x in np.arange(end, -9.0, -1.3):
        canvas.line(canvas.camera.stage([(x, level, z), (x, level + 1.0, z)]), steel, 0.045)


def springboard(camera: Camera, *, height: float, tip: float) -> tuple[np.ndarray, np.ndarray]:
    """Top and edge of the diver's board, each (n, 3) in the view, metres, when its tip stands `tip` over the water."""
    x = np.linspace(-_BOARD, 0.0, 9)
    bend = np.where(x > _FULCRUM, ((x - _FULCRUM) / -_FULCRUM) ** 2, 0) * (tip - height)
    far, near = (np.stack([x, height + bend, np.full(9, z)], axis=1) for z in (-0.25, 0.25))
    under = near - [0, 0.05, 0]
    top, edge = np.concatenate([far, near[::-1]]), np.concatenate([near, under[::-1]])
    return camera.stage(top), camera.stage(edge)


def paint_people(canvas: Canvas, venue: Venue, rng: np.random.Generator, places: np.ndarray) -> None:
    """People who stand at places (n, 3) of the stage, metres, some of them divers; drawn as the athlete is."""
    for place in places[np.argsort(places[:, 2])]:
        person = bodies.draw_body(rng)
        ends, radii = _standing(person, rng)
        pixels = _on_canvas(canvas, ends, place)
        buffer = rasterise(
            pixels[None],
            radii * canvas.camera.scale,
            width=canvas.pixels.shape[1],
            height=canvas.pixels.shape[0],
        )
        if buffer is None:
            continue
        albedo = _clothed(person, rng) if rng.uniform() < 0.5 else dressed(person.material, draw_outfit(rng))
        colour = shade(buffer, albedo, venue.light, softness=0.02 * canvas.camera.scale)[0]
        h, w = colour.shape[:2]
        under = canvas.pixels[buffer.top : buffer.top + h, buffer.left : buffer.left + w]
        cover = buffer.coverage[0][..., None]
        under[:] = np.clip(under + (colour - under) * cover, 0, 255)


def dressed(material: np.ndarray, outfit: Outfit) -> np.ndarray:
    """Colours (C, 3) of capsules of these materials (C,)."""
    palette = np.zeros((3, 3), np.float32)
    palette[bodies.SKIN], palette[bodies.SUIT], palette[bodies.HAIR] = outfit.skin, outfit.suit, outfit.hair
    return palette[material]


def _clothed(person: bodies.Body, rng: np.random.Generator) -> np.ndarray:
    """A person in a shirt and trousers: capsules 0 to 4 and 7 to 10 of each side."""
    albedo = dressed(person.material, draw_outfit(rng))
    shirt, trousers = rng.uniform(20, 240, 3), rng.uniform(20, 120, 3)
    for first in (0, 12):
        albedo[first + 1 : first + 5] = shirt
        albedo[first] = trousers
        albedo[first + 7 : first + 11] = trousers
    return albedo


def _standing(person: bodies.Body, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Capsule ends (C, 2, 3), metres about the soles, and radii (C, 2) of somebody who stands and waits."""
    angles = dict(
        neck=rng.uniform(-0.2, 0.4), spine=rng.uniform(0, 0.15), hip=rng.uniform(0, 0.1), split=rng.uniform(-0.3, 0.3),
        spread=rng.uniform(0, 0.15), shoulder_r=rng.uniform(-0.3, 0.5), shoulder_l=rng.uniform(-0.3, 0.5),
        lift_r=rng.uniform(0.05, 0.3), lift_l=rng.uniform(0.05, 0.3), elbow_r=rng.uniform(0, 1.7), elbow_l=rng.uniform(0, 1.7),
    )  # fmt: skip
    row = np.array([[angles.get(name, 0.0) for name in bodies.CHANNELS]])
    turns, origins = person.segments(row)
    heading = bodies.turn(np.array([rng.uniform(0, 2 * np.pi)]), 1)[0]
    figure = person.figure(heading @ turns[0], origins[0] @ heading.T)
    return figure.ends - [0, figure.ends[..., 1].min(), 0], figure.radii


def _on_canvas(canvas: Canvas, ends: np.ndarray, place: np.ndarray) -> np.ndarray:
    viewed = canvas.camera.view(ends) + canvas.camera.stage(place)
    return np.concatenate([canvas.place(viewed), viewed[..., 2:] * canvas.camera.scale], axis=-1)
