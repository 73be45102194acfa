"""The motion of one dive: a ballistic centre of mass and a body that turns with constant angular momentum.

In flight the somersault rate is (L - h) / I: I the moment of inertia of the present posture, h the angular momentum of
the limbs moving in the pelvis frame, L solved so that the dive's somersaults end at its entry angle. A twist runs
while the body is tilted: its rate is the somersault rate x (I_somersault / I_long - 1) x sin(tilt), and the tilt is
solved for the half twists asked for. The somersault is planar: tilt and twist do not feed back on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aqa_pipeline.simdive import postures
from aqa_pipeline.simdive.body import Body, Figure, draw_body, turn
from aqa_pipeline.simdive.catalogue import DiveNumber
from aqa_pipeline.simdive.faults import Faults
from aqa_pipeline.simdive.landmarks import INDEX

GRAVITY = 9.81
RATE = 160.0  # tabulated body frames per second; between two of them figures are interpolated
TAKEOFF_TIME = {"platform": 0.44, "springboard": 0.52}  # seconds on the board that the clip shows
AFTER_ENTRY = {"platform": 0.34, "springboard": 0.42}  # seconds from first contact to the clip's end
UP = {"platform": (2.9, 2.5, 2.4, 2.3), "springboard": (5.2, 4.8, 4.7, 4.6)}  # m/s at take-off, by direction
UP_ARMSTAND = 1.3
OUT = {
    "platform": (2.1, 1.7, 1.75, 1.6),
    "springboard": (1.7, 1.4, 1.45, 1.4),
}  # metres from the board at entry (armstand: 0.25 more)
_USUAL_LEAN = (10.0, 9.0, 7.0, 6.0)  # degrees away from the board, by direction
WATER_STOPS_TURN, WATER_STOPS_FALL = 0.06, 0.45  # seconds in which water takes the speed


class Performance:
    """One dive in time. `perform` makes it; times are seconds from the clip's start."""

    def __init__(
        self, number: DiveNumber, faults: Faults, body: Body, schedule: postures.Schedule, track: Track
    ) -> None:
        self.number, self.faults, self.body, self.schedule = number, faults, body, schedule
        self.takeoff_time, self.entry_time, self.duration = track.takeoff, track.entry, track.end
        self._rotations, self._origins = track.rotations, track.origins  # (N, S, 3, 3), (N, S, 3)
        self.submerged_time = self._submerged()

    def _frames(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        place = np.clip(np.asarray(times, float) * RATE, 0, len(self._origins) - 1.001)
        k = place.astype(int)
        u = place - k
        r, o = self._rotations, self._origins
        return r[k] + u[..., None, None, None] * (r[k + 1] - r[k]), o[k] + u[..., None, None] * (o[k + 1] - o[k])

    def figure(self, time: float) -> Figure:
        """The body at one time."""
        rotations, origins = self._frames(np.float64(time))
        return self.body.figure(rotations, origins)

    def keypoints(self, times: np.ndarray) -> np.ndarray:
        """All 133 keypoints at times (T,): (T, 133, 3), metres."""
        rotations, origins = self._frames(times)
        return self.body.surface.place(rotations, origins)[:, 2 * len(self.body.radii) :]

    def _submerged(self) -> float:
        times = np.arange(self.entry_time, self.duration, 1 / RATE)
        rotations, origins = self._frames(times)
        feet = [INDEX["r_foot"], INDEX["l_foot"]]
        toes = origins[:, feet, 1] + rotations[:, feet, 1, 0] * self.body.lengths["foot"]
        highest = np.maximum(toes, origins[:, feet, 1]).max(axis=1)
        under = np.flatnonzero(highest < 0)
        return float(times[under[0]]) if len(under) else self.duration

    @property
    def steps(self) -> list[tuple[str, float]]:
        """Sub-actions in order with their start times."""
        number, schedule = self.number, self.schedule
        steps: list[tuple[str, float]] = [("take_off", 0.0)]
        start = self.takeoff_time
        if number.half_twists:
            steps.append((f"{number.half_twists / 2}_twists", start))
            start = schedule.twist[1]
        steps.append((f"{number.half_somersaults / 2}_somersaults_{number.position}", start))
        return [*steps, ("entry", schedule.opened)]

    def sub_action(self, time: float) -> str:
        """The sub-action at one time."""
        return [name for name, start in self.steps if start <= max(time, 0.0)][-1]

    def truth(self) -> dict[str, float]:
        """Latent faults by name."""
        return self.faults.as_dict()


class Track:
    """Times of a dive and its tabulated segment frames in the world, (N, S, 3, 3) and (N, S, 3)."""

    def __init__(self, takeoff: float, entry: float, end: float) -> None:
        self.takeoff, self.entry, self.end = takeoff, entry, end
        self.times = np.arange(int(np.ceil(self.end * RATE)) + 2) / RATE
        self.rotations = self.origins = np.empty(0)


def perform(number: DiveNumber, faults: Faults, rng: np.random.Generator, body: Body | None = None) -> Performance:
    """Let a diver (drawn from `rng` where none is given) perform one dive with these faults."""
    body = body or draw_body(rng)
    launch = _launch(number, faults, body, rng)
    takeoff, after = TAKEOFF_TIME[number.board], AFTER_ENTRY[number.board]
    track = Track(takeoff, takeoff + launch.flight, takeoff + launch.flight + after)
    schedule = postures.schedule(number, faults, track.takeoff, launch.flight, track.end)
    rows = schedule.at(track.times)
    rotations, origins = body.segments(rows[:, :-1])
    inertia = _inertia(body, rotations, origins)
    psi, window = _twist(schedule, track, inertia, launch)
    phi = _somersault(track, inertia, launch, rows[:, -1], psi)
    tilt = _tilt(track, inertia, phi, window, launch)
    world = orientation(phi, tilt, psi, launch.facing)  # (N, 3, 3)
    support = _support(rotations, origins, body, number.armstand)
    com = _centre_of_mass(track, launch, world, inertia.com, support)
    track.rotations = world[:, None] @ rotations
    track.origins = (world[:, None] @ (origins - inertia.com[:, None])[..., None])[..., 0] + com[:, None]
    return Performance(number, faults, body, schedule, track)


@dataclass(frozen=True)
class Launch:
    """Boundary conditions of a flight; angles in radians in the picture plane, counter-clockwise positive."""

    facing: int  # +1: the diver faces away from the board at the start
    start_angle: float  # 0 standing, pi in armstand
    lean: float
    left_angle: float  # pelvis at take-off
    end_angle: float  # pelvis at entry
    end_twist: float
    asked_twist: bool
    board: np.ndarray  # (3,) where feet or hands stand
    com: np.ndarray  # (3,) at take-off
    velocity: np.ndarray  # (3,) at take-off
    flight: float


def _launch(number: DiveNumber, faults: Faults, body: Body, rng: np.random.Generator) -> Launch:
    facing, sense = (1 if number.direction in (1, 3) else -1), (-1 if number.direction in (1, 2) else 1)
    start = np.pi if number.armstand else 0.0
    lean = np.radians(_USUAL_LEAN[number.direction - 1] + faults.lean)
    rows = np.stack([postures.leaving(number, faults), postures.line(number, faults)])
    rotations, origins = body.segments(rows[:, :-1])
    com = _mean_of(body, rotations, origins)
    left_angle = start - lean - facing * rows[0, -1]
    end_angle = start + sense * (number.half_somersaults * np.pi + np.radians(faults.rotation))
    end_twist = rng.choice((-1.0, 1.0)) * (number.half_twists * np.pi + np.radians(faults.twist))
    board = np.array([0.0, number.height_m, 0.0])
    support = _support(rotations, origins, body, number.armstand)[0]
    left = board + orientation(left_angle, 0.0, 0.0, facing)[0] @ (com[0] - support)
    hands = orientation(end_angle, 0.0, end_twist, facing)[0] @ (_fingers(rotations, origins, body)[1] - com[1])
    up = UP_ARMSTAND if number.armstand else UP[number.board][number.direction - 1]
    up *= 1 + 0.04 * np.clip(rng.normal(), -2, 2)
    flight = (up + np.sqrt(up**2 + 2 * GRAVITY * (left[1] + hands[1]))) / GRAVITY
    out = (OUT[number.board][number.direction - 1] + 0.25 * number.armstand + faults.distance - left[0]) / flight
    velocity = np.array([out, up, 0.0])
    twisted = number.half_twists > 0
    return Launch(facing, start, lean, left_angle, end_angle, end_twist, twisted, board, left, velocity, flight)


def orientation(phi: np.ndarray, tilt: np.ndarray, psi: np.ndarray, facing: int) -> np.ndarray:
    """Pelvis to world (N, 3, 3): twist about the body's length, tilt of that axis, somersault in the picture plane."""
    return turn(phi, 2) @ turn(tilt, 0) @ turn(np.asarray(psi) + (0.0 if facing > 0 else np.pi), 1)


@dataclass(frozen=True)
class Inertia:
    """Of the posture in the pelvis frame, per tabulated time (N,)."""

    com: np.ndarray  # (N, 3)
    somersault: np.ndarray  # kg m2 about the lateral axis
    long: np.ndarray  # kg m2 about the body's length
    own: np.ndarray  # kg m2 / s about the lateral axis, from the limbs' own motion


def _inertia(body: Body, rotations: np.ndarray, origins: np.ndarray) -> Inertia:
    points, kg = body.masses
    place = points.place(rotations, origins)  # (N, M, 3)
    com = np.einsum("m,nmi->ni", kg / kg.sum(), place)
    x, y, z = np.moveaxis(place - com[:, None], 2, 0)
    vx, vy = np.gradient(x, 1 / RATE, axis=0), np.gradient(y, 1 / RATE, axis=0)
    return Inertia(com, (x * x + y * y) @ kg, (x * x + z * z) @ kg, (x * vy - y * vx) @ kg)


def _mean_of(body: Body, rotations: np.ndarray, origins: np.ndarray) -> np.ndarray:
    points, kg = body.masses
    return np.einsum("m,nmi->ni", kg / kg.sum(), points.place(rotations, origins))


def _support(rotations: np.ndarray, origins: np.ndarray, body: Body, armstand: bool) -> np.ndarray:
    """What stands on the board, in the pelvis frame (N, 3): the balls of the feet, or the heels of the hands."""
    if armstand:
        heel = np.array([-0.03, 0.05 * body.lengths["hand"], 0.0])  # a little below the wrist of a flat hand
        hands = [origins[:, INDEX[h]] + rotations[:, INDEX[h]] @ heel for h in ("r_hand", "l_hand")]
        return 0.5 * (hands[0] + hands[1])
    ball = np.array([0.66 * body.lengths["foot"], -body.lengths["ankle"], 0.0])
    feet = [origins[:, INDEX[f]] + rotations[:, INDEX[f]] @ ball for f in ("r_foot", "l_foot")]
    return 0.5 * (feet[0] + feet[1])


def _fingers(rotations: np.ndarray, origins: np.ndarray, body: Body) -> np.ndarray:
    tip = np.array([0.0, -body.lengths["hand"], 0.0])
    hands = [origins[:, INDEX[h]] + rotations[:, INDEX[h]] @ tip for h in ("r_hand", "l_hand")]
    return 0.5 * (hands[0] + hands[1])


def _running_integral(rate: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) / RATE)])


def _over_flight(track: Track, rate: np.ndarray) -> np.ndarray:
    """Integral of a tabulated rate from take-off to each time, not growing after entry (N,)."""
    whole = _running_integral(rate)
    begin = np.interp(track.takeoff, track.times, whole)
    return np.interp(np.clip(track.times, track.takeoff, track.entry), track.times, whole) - begin


def _twist(
    schedule: postures.Schedule, track: Track, inertia: Inertia, launch: Launch
) -> tuple[np.ndarray, np.ndarray]:
    """Twist angle (N,) and the window (N,) 0..1 in which the body tilts; a mere remainder fills the flight."""
    begin, end = schedule.twist
    ramp = 0.10
    window = np.clip((track.times - begin) / ramp, 0, 1) * np.clip((end - track.times) / ramp, 0, 1)
    grown = _over_flight(track, window * (1 / inertia.long - 1 / inertia.somersault))
    return launch.end_twist * grown / grown[-1], window


def _somersault(track: Track, inertia: Inertia, launch: Launch, pitch: np.ndarray, psi: np.ndarray) -> np.ndarray:
    """Angle of the pelvis in the picture plane (N,): standing, then (L - h) / I, then slowed by the water."""
    t = track.times
    own = launch.facing * np.cos(psi) * inertia.own / inertia.somersault  # seen from the camera
    per_momentum, by_limbs = _over_flight(track, 1 / inertia.somersault), _over_flight(track, own)
    # Half of the turn that the water lets pass comes after contact: a clean entry is upright in between.
    at_entry = 1 / np.interp(track.entry, t, inertia.somersault)
    asked = launch.end_angle - launch.left_angle + by_limbs[-1]
    momentum = asked / (per_momentum[-1] + 0.5 * WATER_STOPS_TURN * at_entry)
    flying = launch.left_angle + momentum * per_momentum - by_limbs
    standing = launch.start_angle - launch.facing * pitch - launch.lean * np.clip(t / track.takeoff, 0, 1) ** 2
    sinking = flying[-1] + momentum * at_entry * WATER_STOPS_TURN * (
        1 - np.exp(-np.maximum(t - track.entry, 0) / WATER_STOPS_TURN)
    )
    return np.select([t < track.takeoff, t < track.entry], [standing, flying], sinking)


def _tilt(track: Track, inertia: Inertia, phi: np.ndarray, window: np.ndarray, launch: Launch) -> np.ndarray:
    """Tilt of the body's length out of the somersault plane (N,) that brings the twist about."""
    if not launch.asked_twist:
        return np.zeros_like(phi)
    rate = np.gradient(phi, 1 / RATE) * (inertia.somersault / inertia.long - 1) * window
    sine = launch.end_twist / _over_flight(track, rate)[-1]
    return np.arcsin(np.clip(sine, -0.5, 0.5)) * window


def _centre_of_mass(
    track: Track, launch: Launch, world: np.ndarray, com: np.ndarray, support: np.ndarray
) -> np.ndarray:
    """World path (N, 3): above the feet while they stand, ballistic in flight, braked by the water after entry."""
    gravity = np.array([0.0, -GRAVITY, 0.0])
    standing = launch.board + (world @ (com - support)[:, :, None])[..., 0]
    t = (np.minimum(track.times, track.entry) - track.takeoff)[:, None]
    flying = launch.com + launch.velocity * t + 0.5 * gravity * t**2
    sunk = WATER_STOPS_FALL * (1 - np.exp(-np.maximum(track.times - track.entry, 0) / WATER_STOPS_FALL))[:, None]
    flying = flying + sunk * (launch.velocity + gravity * launch.flight)
    return np.where((track.times < track.takeoff)[:, None], standing, flying)
