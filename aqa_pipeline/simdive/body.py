"""An articulated diver with volume: joint angles in, tapered capsules and 133 keypoints out.

Pelvis frame: x to the diver's front, y up, z to the diver's right. Segment lengths and masses are shares of height
and mass after Dempster and Winter, rounded. Angles are radians and positive in flexion.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from aqa_pipeline.simdive import landmarks
from aqa_pipeline.simdive.landmarks import INDEX, SEGMENTS

SKIN, SUIT, HAIR = 0, 1, 2
LIMBS = ("arm", "forearm", "hand", "thigh", "shank", "foot")

CHANNELS = (
    "neck", "spine", "hip", "knee", "ankle",  # flexion; ankle: 0 at right angles, positive towards pointed toes
    "split", "spread",  # legs apart: fore and aft (right minus left), and sideways (each leg)
    "shoulder_r", "shoulder_l",  # 0 arms hanging, pi/2 in front, pi overhead
    "lift_r", "lift_l",  # upper arm away from the middle plane
    "elbow_r", "elbow_l",
    "cross_r", "cross_l",  # forearm away from the middle plane; negative crosses the body
    "wrist",  # both hands bent towards their backs
    "grip", "grip_at",  # 0..1: hands on the shanks; where on the shank, as share from the knee
)  # fmt: skip
COLUMN = {name: i for i, name in enumerate(CHANNELS)}


@dataclass(frozen=True)
class Figure:
    """The body at one instant, in the world: C capsules and 133 keypoints, metres."""

    ends: np.ndarray  # (C, 2, 3)
    radii: np.ndarray  # (C, 2)
    material: np.ndarray  # (C,) int
    keypoints: np.ndarray  # (133, 3)


@dataclass(frozen=True)
class Points:
    """P points fixed on segments."""

    segment: np.ndarray  # (P,) int
    local: np.ndarray  # (P, 3)

    @classmethod
    def of(cls, points: list[landmarks.Point]) -> Points:
        return cls(np.array([INDEX[s] for s, _ in points]), np.array([p for _, p in points], float))

    def place(self, rotations: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """Segment frames (..., S, 3, 3) and (..., S, 3) to points (..., P, 3)."""
        turned = rotations[..., self.segment, :, :] @ self.local[:, :, None]
        return turned[..., 0] + origins[..., self.segment, :]


@dataclass(frozen=True)
class Body:
    """One diver: height (m), mass (kg), girth (1 is average) and whether the suit covers the trunk."""

    height: float = 1.65
    mass: float = 62.0
    girth: float = 1.0
    one_piece: bool = False

    @cached_property
    def lengths(self) -> dict[str, float]:
        h = self.height
        return {
            "height": h, "lumbar": 0.070 * h, "chest": 0.218 * h, "neck": 0.255 * h, "shoulder": 0.105 * h,
            "arm": 0.180 * h, "forearm": 0.150 * h, "hand": 0.105 * h, "hip": 0.052 * h, "thigh": 0.245 * h,
            "shank": 0.246 * h, "foot": 0.150 * h, "ankle": 0.039 * h,
        }  # fmt: skip

    @cached_property
    def _capsules(self) -> list[tuple[landmarks.Point, landmarks.Point, float, float, int]]:
        return _capsules(self.lengths, self.girth * self.height / 1.65, SUIT if self.one_piece else SKIN)

    @cached_property
    def radii(self) -> np.ndarray:
        return np.array([c[2:4] for c in self._capsules])

    @cached_property
    def material(self) -> np.ndarray:
        return np.array([c[4] for c in self._capsules])

    @cached_property
    def surface(self) -> Points:
        """Capsule ends (2 C, end by end) followed by the 133 keypoints."""
        ends = [end for capsule in self._capsules for end in capsule[:2]]
        return Points.of(ends + landmarks.points(self.lengths))

    @cached_property
    def masses(self) -> tuple[Points, np.ndarray]:
        """Point masses with the segments' masses and moments of inertia: points (M) and their kg (M,)."""
        points, shares = zip(*_masses(self.lengths), strict=True)
        return Points.of(list(points)), self.mass * np.array(shares) / sum(shares)

    def segments(self, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joint angles (T, len(CHANNELS)) to segment frames in the pelvis frame: (T, S, 3, 3) and (T, S, 3)."""
        return _segments(self.lengths, angles)

    def figure(self, rotations: np.ndarray, origins: np.ndarray) -> Figure:
        """World frames of the segments, (S, 3, 3) and (S, 3), to a figure."""
        points = self.surface.place(rotations, origins)
        n = 2 * len(self.radii)
        return Figure(points[:n].reshape(-1, 2, 3), self.radii, self.material, points[n:])


def draw_body(rng: np.random.Generator) -> Body:
    """A diver of 1.55 to 1.75 m, slim to sturdy, in trunks or in a one-piece suit."""
    height = float(np.clip(rng.normal(1.65, 0.045), 1.55, 1.75))
    girth = float(np.clip(rng.normal(1.0, 0.04), 0.92, 1.08))
    return Body(height, 62.0 * (height / 1.65) ** 2 * girth**2, girth, bool(rng.random() < 0.5))


def _capsules(n: dict[str, float], g: float, trunk: int) -> list:
    """Tapered capsules (end, end, radius, radius, material); trunk in pairs: its breadth is right from all sides."""
    capsules = []
    for side, s in (("r", 1), ("l", -1)):
        waist = ("pelvis", (0.0, 0.85 * n["lumbar"], s * 0.050 * g))
        ribs = ("chest", (0.0, 0.15 * n["chest"], s * 0.058 * g))
        top = ("chest", (-0.005, 0.84 * n["chest"], s * 0.088 * g))
        arm, forearm, hand, thigh, shank, foot = (f"{side}_{name}" for name in LIMBS)
        joint = (0.0, 0.0, 0.0)
        calf = (shank, (-0.012, -0.32 * n["shank"], 0))
        capsules += [
            (("pelvis", (-0.012, 0.0, s * 0.070 * g)), waist, 0.100 * g, 0.088 * g, SUIT),
            (waist, ribs, 0.088 * g, 0.092 * g, trunk),
            (ribs, top, 0.092 * g, 0.088 * g, trunk),
            (top, (arm, (0.0, -0.02, 0.0)), 0.074 * g, 0.058 * g, SKIN),
            ((arm, joint), (forearm, joint), 0.055 * g, 0.043 * g, SKIN),
            ((forearm, joint), (hand, joint), 0.044 * g, 0.031 * g, SKIN),
            ((hand, (0, -0.02, 0)), (hand, (0, -0.92 * n["hand"], 0)), 0.034 * g, 0.020 * g, SKIN),
            ((thigh, joint), (thigh, (0, -0.22 * n["thigh"], 0)), 0.092 * g, 0.086 * g, SUIT),
            ((thigh, (0, -0.2 * n["thigh"], 0)), (shank, joint), 0.086 * g, 0.060 * g, SKIN),
            ((shank, joint), calf, 0.058 * g, 0.060 * g, SKIN),
            (calf, (foot, joint), 0.060 * g, 0.038 * g, SKIN),
            ((foot, (-0.02, -0.35 * n["ankle"], 0)), (foot, (0.74 * n["foot"], -0.55 * n["ankle"], 0)),
             0.039 * g, 0.024 * g, SKIN),
        ]  # fmt: skip
    k = n["height"] / 1.65
    capsules += [
        (("chest", (0.0, 1.0 * n["chest"], 0)), ("head", (0.0, 0.04 * k, 0)), 0.062 * g, 0.058 * g, SKIN),
        (("head", (0.030 * k, 0.035 * k, 0)), ("head", (0.022 * k, 0.10 * k, 0)), 0.058 * k, 0.082 * k, SKIN),
        (
            ("head", (-0.012 * k, 0.095 * k, 0)),
            ("head", (-0.004 * k, 0.135 * k, 0)),
            0.088 * k,
            0.088 * k,
            HAIR,
        ),
    ]
    return capsules


def _masses(n: dict[str, float]) -> list[tuple[landmarks.Point, float]]:
    """Each limb as two points at its centre plus and minus the radius of gyration; the trunk as rings of four."""
    masses = [(("head", (0.01, y * n["height"], 0)), 0.0405) for y in (0.02, 0.10)]
    rings = (
        ("pelvis", -0.2 * n["lumbar"], 0.075),
        ("pelvis", 0.9 * n["lumbar"], 0.095),
        ("chest", 0.2 * n["chest"], 0.16),
        ("chest", 0.85 * n["chest"], 0.167),
    )
    for segment, y, share in rings:
        masses += [((segment, (x, y, z)), share / 4) for x, z in ((0.09, 0), (-0.09, 0), (0, 0.12), (0, -0.12))]
    limbs = (
        ("arm", 0.436, 0.32, 0.028),
        ("forearm", 0.43, 0.30, 0.016),
        ("hand", 0.5, 0.3, 0.006),
        ("thigh", 0.433, 0.32, 0.1),
        ("shank", 0.433, 0.30, 0.0465),
    )
    for side in "rl":
        for name, centre, gyration, share in limbs:
            masses += [
                ((f"{side}_{name}", (0, -c * n[name], 0)), share / 2) for c in (centre - gyration, centre + gyration)
            ]
        masses += [((f"{side}_foot", (x * n["foot"], -0.02, 0)), 0.0145 / 2) for x in (-0.1, 0.6)]
    return masses


def turn(angle: np.ndarray, axis: int) -> np.ndarray:
    """Rotation matrices (T, 3, 3) about one of the axes x, y, z (0, 1, 2), right-handed."""
    angle = np.atleast_1d(angle)
    out = np.zeros((len(angle), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    cos, sin = np.cos(angle), np.sin(angle)
    out[:, axis, axis] = 1.0
    out[:, i, i] = out[:, j, j] = cos
    out[:, i, j], out[:, j, i] = -sin, sin
    return out


def _segments(n: dict[str, float], angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a = {name: angles[:, i] for name, i in COLUMN.items()}
    count = len(angles)
    turns, origins = np.zeros((count, len(SEGMENTS), 3, 3)), np.zeros((count, len(SEGMENTS), 3))
    turns[:, 0] = np.eye(3)

    def attach(name: str, parent: str, at: np.ndarray | tuple, rotation: np.ndarray) -> None:
        p, c = INDEX[parent], INDEX[name]
        turns[:, c] = turns[:, p] @ rotation
        origins[:, c] = origins[:, p] + (turns[:, p] @ np.broadcast_to(at, (count, 3))[:, :, None])[..., 0]

    attach("chest", "pelvis", (0, n["lumbar"], 0), turn(-a["spine"], 2))
    attach("head", "chest", (0, n["neck"], 0), turn(-a["neck"], 2))
    for side, s in (("r", 1), ("l", -1)):
        hip = turn(a["hip"] + s * a["split"] / 2, 2) @ turn(-s * a["spread"], 0)
        attach(f"{side}_thigh", "pelvis", (0, 0, s * n["hip"]), hip)
        attach(f"{side}_shank", f"{side}_thigh", (0, -n["thigh"], 0), turn(-a["knee"], 2))
        attach(f"{side}_foot", f"{side}_shank", (0, -n["shank"], 0), turn(-a["ankle"], 2))
        raised = 0.5 - 0.5 * np.cos(a[f"shoulder_{side}"])  # the shoulder blade follows the arm
        shoulder = np.stack(
            [
                0 * raised,
                n["chest"] + 0.022 * n["height"] * raised,
                s * (n["shoulder"] - 0.018 * n["height"] * raised),
            ],
            1,
        )
        upper, lower = _arm(n, a, side, s, shoulder, turns, origins)
        attach(f"{side}_arm", "chest", shoulder, upper)
        elbow = shoulder - n["arm"] * upper[:, :, 1]
        attach(f"{side}_forearm", "chest", elbow, lower)
        attach(f"{side}_hand", f"{side}_forearm", (0, -n["forearm"], 0), turn(a["wrist"], 2))
    return turns, origins


def _arm(n: dict, a: dict, side: str, s: int, shoulder: np.ndarray, turns: np.ndarray, origins: np.ndarray) -> tuple:
    """Rotations of upper arm and forearm in the chest frame: free arms, blended with hands that hold the shanks."""
    flexion = a[f"shoulder_{side}"]
    upper = _direction(flexion, a[f"lift_{side}"], s)
    lower = _direction(flexion + a[f"elbow_{side}"], a[f"cross_{side}"], s)
    grip = a["grip"][:, None]
    if grip.any():
        shank, chest = INDEX[f"{side}_shank"], INDEX["chest"]
        down = a["grip_at"] * n["shank"]
        held = np.stack([np.full(len(down), 0.035), -down, np.full(len(down), s * 0.045)], 1)
        held = origins[:, shank] + (turns[:, shank] @ held[:, :, None])[..., 0] - origins[:, chest]
        target = (np.swapaxes(turns[:, chest], 1, 2) @ held[:, :, None])[..., 0] - shoulder
        reach_upper, reach_lower = _reach(target, n["arm"], n["forearm"] + 0.35 * n["hand"], s)
        upper, lower = upper + grip * (reach_upper - upper), lower + grip * (reach_lower - lower)
    return _frame(upper), _frame(lower)


def _direction(flexion: np.ndarray, lift: np.ndarray, s: int) -> np.ndarray:
    return np.stack([np.sin(flexion) * np.cos(lift), -np.cos(flexion) * np.cos(lift), s * np.sin(lift)], 1)


def _reach(target: np.ndarray, first: float, second: float, s: int) -> tuple[np.ndarray, np.ndarray]:
    """Directions (T, 3) of two links to the target (T, 3), elbow out and down; stretched where it is too far."""
    far = np.linalg.norm(target, axis=1, keepdims=True)
    ahead = target / far
    far = np.clip(far, abs(first - second) + 1e-3, first + second - 1e-3)
    cos = (first**2 + far**2 - second**2) / (2 * first * far)
    pole = np.array([-0.1, -0.25, 0.9 * s])
    pole = pole - ahead * (ahead @ pole)[:, None]
    pole /= np.linalg.norm(pole, axis=1, keepdims=True)
    upper = ahead * cos + pole * np.sqrt(1 - cos**2)
    return upper, (ahead * far - first * upper) / second


def _frame(direction: np.ndarray) -> np.ndarray:
    """Frames whose -y axis is the direction (T, 3) and whose z axis stays near the chest's."""
    y = -direction / np.linalg.norm(direction, axis=1, keepdims=True)
    z = np.array([0.15, 0.0, 1.0]) - y * (y @ np.array([0.15, 0.0, 1.0]))[:, None]
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    return np.stack([np.cross(y, z), y, z], axis=2)
