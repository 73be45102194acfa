"""What looks different from dive to dive: the hall's colours and lamps, the diver's suit, skin and hair."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from aqa_pipeline.simdive.canvas import Colour, mixed
from aqa_pipeline.simdive.shading import Light

SKIN = ((238, 198, 170), (222, 172, 138), (198, 146, 110), (164, 112, 78), (122, 80, 54), (84, 54, 38))
HAIR = ((28, 22, 20), (46, 32, 24), (84, 58, 36), (142, 104, 58), (196, 164, 104), (96, 40, 24))
_WORDS = ("DIVING", "AQUATICS", "WORLD SERIES", "GRAND PRIX", "SWIM CITY", "FINALS", "OPEN", "CITY POOL")


@dataclass(frozen=True)
class Venue:
    """Colours are RGB, 0 to 255, before the lamps' tint."""

    wall: Colour
    accent: Colour
    seats: Colour
    water: Colour
    deck: Colour
    concrete: Colour
    lanes: Colour
    words: str
    crowd: float  # share of taken seats
    dimness: float  # light on the stands, as share of that on the pool
    pool_width: float  # metres from the diver's line to the far edge
    light: Light
    tint: Colour  # white balance and exposure, factors
    noise: float  # standard deviation of the sensor noise, grey levels


@dataclass(frozen=True)
class Outfit:
    """Colours of one body."""

    skin: Colour
    suit: Colour
    hair: Colour


def draw_venue(rng: np.random.Generator) -> Venue:
    """A hall at random."""
    hue = rng.uniform()
    warm = rng.uniform(-0.06, 0.06)
    exposure = rng.uniform(0.86, 1.12)
    return Venue(
        wall=_colour(hue, rng.uniform(0.1, 0.75), rng.uniform(0.25, 0.7)),
        accent=_colour(hue + rng.uniform(0.25, 0.75), rng.uniform(0.4, 0.9), rng.uniform(0.5, 0.95)),
        seats=_colour(rng.uniform(), rng.uniform(0.2, 0.8), rng.uniform(0.25, 0.7)),
        water=_colour(rng.uniform(0.5, 0.6), rng.uniform(0.55, 0.88), rng.uniform(0.6, 0.85)),
        deck=mixed((190, 190, 185), _colour(rng.uniform(0.05, 0.6), 0.5, 0.8), rng.uniform(0, 0.4)),
        concrete=mixed((205, 202, 192), _colour(hue, 0.5, 0.8), rng.uniform(0, 0.35)),
        lanes=_colour(rng.uniform(0.58, 0.66), 0.8, rng.uniform(0.25, 0.45)),
        words=str(rng.choice(_WORDS)),
        crowd=rng.uniform(0.45, 0.97),
        dimness=rng.uniform(0.45, 1.0),
        pool_width=rng.uniform(8.0, 12.5),
        light=Light(
            direction=(rng.uniform(-0.7, 0.7), rng.uniform(-0.95, -0.6), rng.uniform(0.35, 0.75)),
            ambient=rng.uniform(0.38, 0.5),
            direct=rng.uniform(0.6, 0.8),
            gloss=rng.uniform(0.1, 0.3),
        ),
        tint=(exposure * (1 + warm), exposure, exposure * (1 - warm)),
        noise=rng.uniform(1.0, 4.0),
    )


def draw_outfit(rng: np.random.Generator) -> Outfit:
    """Skin, suit and hair at random; dark hair goes with dark skin."""
    tone = rng.uniform(0, len(SKIN) - 1.001)
    skin = mixed(SKIN[int(tone)], SKIN[int(tone) + 1], tone % 1)
    suit = _colour(rng.uniform(), rng.uniform(0.3, 1.0), rng.uniform(0.12, 0.85))
    return Outfit(skin=skin, suit=suit, hair=HAIR[int(rng.integers(2 if tone > 3 else len(HAIR)))])


def _colour(hue: float, saturation: float, value: float) -> Colour:
    return tuple(255.0 * channel for channel in colorsys.hsv_to_rgb(hue % 1.0, saturation, value))
