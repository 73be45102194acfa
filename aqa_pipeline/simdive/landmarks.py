"""The 133 COCO-WholeBody points as fixed points of the body's segments.

Order: 17 body, 6 feet, 68 face, 21 left hand, 21 right hand. Segment frames: x to the front, y up along the
segment, z to the diver's right; the origin is the joint nearer to the pelvis (for the head, its joint with the neck).
"""

from __future__ import annotations

from functools import cache

import numpy as np

SEGMENTS = (
    "pelvis", "chest", "head",
    "r_arm", "r_forearm", "r_hand", "l_arm", "l_forearm", "l_hand",
    "r_thigh", "r_shank", "r_foot", "l_thigh", "l_shank", "l_foot",
)  # fmt: skip
INDEX = {name: i for i, name in enumerate(SEGMENTS)}
Point = tuple[str, tuple[float, float, float]]

HEAD_CENTRE = np.array([0.012, 0.095, 0.0])
HEAD_RADII = np.array([0.098, 0.120, 0.078])  # front, up, side


def _on_face(side: float, up: float) -> tuple[float, float, float]:
    """A point of the head's front by its direction: `side` to the right and `up` as shares of the radii."""
    front = np.sqrt(max(0.0, 1.0 - side**2 - up**2))
    return tuple(HEAD_CENTRE + HEAD_RADII * (front, up, side))


@cache
def face() -> list[tuple[float, float, float]]:
    """68 points: 17 jaw (right ear to left ear), 10 brows, 9 nose, 12 eyes, 20 mouth; 'right' is the diver's right."""
    jaw = [_on_face(0.97 * np.cos(a), -0.1 - 0.82 * np.sin(a)) for a in np.linspace(0, np.pi, 17)]
    brows = [
        _on_face(s, 0.30 - 0.3 * (abs(s) - 0.4) ** 2)
        for s in (*np.linspace(0.7, 0.15, 5), *np.linspace(-0.15, -0.7, 5))
    ]
    bridge = [
        tuple(np.add(_on_face(0, u), (0.004 + 0.014 * i / 3, 0, 0))) for i, u in enumerate(np.linspace(0.12, -0.15, 4))
    ]
    nostrils = [tuple(np.add(_on_face(s, -0.24), (0.01, 0, 0))) for s in np.linspace(0.16, -0.16, 5)]
    eyes = [
        _on_face(side + dx, 0.12 + dy)
        for side in (0.40, -0.40)
        for dx, dy in ((0.15, 0), (0.05, 0.05), (-0.05, 0.05), (-0.15, 0), (-0.05, -0.04), (0.05, -0.04))
    ]
    outer = [_on_face(0.33 * np.cos(a), -0.48 + 0.11 * np.sin(a)) for a in _ring(12)]
    inner = [_on_face(0.24 * np.cos(a), -0.48 + 0.04 * np.sin(a)) for a in _ring(8)]
    return jaw + brows + bridge + nostrils + eyes + outer + inner


def _ring(count: int) -> np.ndarray:
    return np.arange(count) * 2 * np.pi / count


def hand(side: float, scale: float) -> list[tuple[float, float, float]]:
    """21 points: wrist, thumb, index, middle, ring, little finger (four each); `side` is +1 right, -1 left.

    With the arm hanging the thumb points to the front (+x) and the fingers down (-y).
    """
    points = [(0.0, 0.0, 0.0)]
    for out, start, length in (
        (0.030, 0.02, 0.075),
        (0.028, 0.08, 0.085),
        (0.009, 0.085, 0.095),
        (-0.010, 0.082, 0.085),
        (-0.027, 0.075, 0.07),
    ):
        for share in (0.0, 0.45, 0.75, 1.0):
            splay = out * (1 + 0.35 * share) + (0.02 if out > 0.029 else 0.0)
            points.append((scale * splay, -scale * (start + share * length), -side * 0.004))
    return points


def points(lengths: dict[str, float]) -> list[Point]:
    """All 133 points for a body with these segment lengths (metres, see body.py)."""
    scale = lengths["height"] / 1.65

    def on_head(p: tuple[float, float, float]) -> Point:
        return ("head", tuple(scale * np.asarray(p)))

    ear = {s: (0.0, 0.095, s * 0.078) for s in (1, -1)}
    body = [
        on_head((0.118, 0.085, 0)),
        on_head(_on_face(-0.4, 0.12)),
        on_head(_on_face(0.4, 0.12)),
        on_head(ear[-1]),
        on_head(ear[1]),
    ]
    joints = (
        "arm",
        "forearm",
        "hand",
        "thigh",
        "shank",
        "foot",
    )  # shoulder, elbow, wrist, hip, knee, ankle: segment origins
    body += [(f"{side}_{name}", (0.0, 0.0, 0.0)) for name in joints for side in "lr"]
    feet = []
    for side, sign in (("l", -1), ("r", 1)):
        toe, heel = 0.78 * lengths["foot"], 0.22 * lengths["foot"]
        feet += [
            (f"{side}_foot", p)
            for p in (
                (toe, -0.6 * lengths["ankle"], -sign * 0.02),
                (0.88 * toe, -0.6 * lengths["ankle"], sign * 0.035),
                (-heel, -0.8 * lengths["ankle"], 0.0),
            )
        ]
    hands = [(f"{side}_hand", p) for side, sign in (("l", -1), ("r", 1)) for p in hand(sign, scale)]
    return body + feet + [on_head(p) for p in face()] + hands
