"""People who stand about, drawn as the athlete is: a detector cannot tell the diver by looks alone."""

from __future__ import annotations

import numpy as np

from aqa_pipeline.simdive import body as bodies
from aqa_pipeline.simdive.canvas import Canvas
from aqa_pipeline.simdive.shading import rasterise, shade
from aqa_pipeline.simdive.venue import Outfit, Venue, draw_outfit

_WAITING = {
    "neck": (-0.2, 0.4),
    "spine": (0.0, 0.15),
    "hip": (0.0, 0.1),
    "split": (-0.3, 0.3),
    "spread": (0.0, 0.15),
}
for _side in "rl":
    _WAITING |= {f"shoulder_{_side}": (-0.3, 0.5), f"lift_{_side}": (0.05, 0.3), f"elbow_{_side}": (0.0, 1.7)}
# joint angles of people who stand and wait, radians: least and most


def paint_people(canvas: Canvas, venue: Venue, rng: np.random.Generator, places: np.ndarray) -> None:
    """People who stand at places (n, 3) of the stage, metres, some of them divers."""
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
    """Capsule ends (C, 2, 3) about the soles and radii (C, 2), metres, of somebody who waits."""
    angles = {joint: rng.uniform(low, high) for joint, (low, high) in _WAITING.items()}
    row = np.array([[angles.get(name, 0.0) for name in bodies.CHANNELS]])
    turns, origins = person.segments(row)
    heading = bodies.turn(np.array([rng.uniform(0, 2 * np.pi)]), 1)[0]
    figure = person.figure(heading @ turns[0], origins[0] @ heading.T)
    return figure.ends - [0, figure.ends[..., 1].min(), 0], figure.radii


def _on_canvas(canvas: Canvas, ends: np.ndarray, place: np.ndarray) -> np.ndarray:
    viewed = canvas.camera.view(ends) + canvas.camera.stage(place)
    return np.concatenate([canvas.place(viewed), viewed[..., 2:] * canvas.camera.scale], axis=-1)
