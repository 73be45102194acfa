"""Named keypoint sets: what each column of a `(T, K, 3)` array means.

`coco_17`, `coco_wholebody_133`  COCO and COCO-WholeBody, with the OKS sigmas their evaluation code uses
`mpii_16`                        MPII, with the sigmas that mmpose evaluates it with
`body_25`, `openpose_18`         OpenPose's orders: BODY_25 with feet, and the older one of COCO's points and a neck
`blazepose_33`                   BlazePose; sigmas of COCO, and of COCO-WholeBody where COCO has no such point
`kimore_18`                      KIMORE (Kinect v2 without head, feet and finger tips); three-dimensional.
                                 Its source does not write the order down: names and edges are inferred.
`kinect_25`                      the joints of the Kinect v2, in the order of its JointType; three-dimensional
`ui_prmd_22`                     the joints of UI-PRMD's Kinect files, in its authors' order; three-dimensional
`plug_in_gait_39`                the markers of Vicon's Plug-in Gait, as UI-PRMD orders them; three-dimensional
"""

from __future__ import annotations

from dataclasses import dataclass

from aqa_pipeline.errors import InputError, nearest


def _names(text: str) -> list[str]:
    return text.split()


_COCO_BODY = _names(
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
)
_COCO_FEET = _names("left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel")
_MPII = _names(
    "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top "
    "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist"
)
_BODY_25 = _names(
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear "
    "left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel"
)
_OPENPOSE = [name for name in _BODY_25[:19] if name != "mid_hip"]
_BLAZEPOSE = _names(
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
    "left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
    "left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee "
    "left_ankle right_ankle left_heel right_heel left_foot_index right_foot_index"
)
_KIMORE = _names(
    "spine_base spine_mid neck left_shoulder left_elbow left_wrist left_hand "
    "right_shoulder right_elbow right_wrist right_hand "
    "left_hip left_knee left_ankle right_hip right_knee right_ankle spine_shoulder"
)

_KINECT = _names(
    "spine_base spine_mid neck head left_shoulder left_elbow left_wrist left_hand "
    "right_shoulder right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot "
    "right_hip right_knee right_ankle right_foot spine_shoulder left_hand_tip left_thumb right_hand_tip right_thumb"
)
_UI_PRMD = _names(
    "waist spine chest neck head head_tip left_collar left_upper_arm left_forearm left_hand "
    "right_collar right_upper_arm right_forearm right_hand left_upper_leg left_lower_leg left_foot left_toes "
    "right_upper_leg right_lower_leg right_foot right_toes"
)
_PLUG_IN_GAIT = _names(
    "left_front_head right_front_head left_back_head right_back_head c7 t10 clavicle sternum right_back "
    "left_shoulder left_upper_arm left_elbow left_forearm left_wrist_a left_wrist_b left_finger "
    "right_shoulder right_upper_arm right_elbow right_forearm right_wrist_a right_wrist_b right_finger "
    "left_asis right_asis left_psis right_psis left_thigh left_knee left_tibia left_ankle left_heel left_toe "
    "right_thigh right_knee right_tibia right_ankle right_heel right_toe"
)

_BODY_SIGMAS = (
    *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
    *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)
_FEET_SIGMAS = (0.068, 0.066, 0.066, 0.092, 0.094, 0.094)
_FACE_SIGMAS = (
    *(
        0.042,
        0.043,
        0.044,
        0.043,
        0.040,
        0.035,
        0.031,
        0.025,
        0.020,
        0.023,
        0.029,
        0.032,
        0.037,
        0.038,
        0.043,
        0.041,
        0.045,
    ),
    *(0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015),
    *(0.009, 0.007, 0.007, 0.007, 0.012, 0.009, 0.008, 0.016, 0.010),
    *(0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034),
    *(0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009),
    *(0.009, 0.007, 0.007, 0.008, 0.011, 0.008, 0.008, 0.008, 0.010, 0.008),
)
_HAND_SIGMAS = (
    *(0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024),
    *(0.022, 0.026, 0.017, 0.021, 0.021, 0.032, 0.020, 0.019, 0.022, 0.031),
)
_MPII_SIGMAS = (
    *(0.089, 0.083, 0.107, 0.107, 0.083, 0.089, 0.026, 0.026),
    *(0.026, 0.026, 0.062, 0.072, 0.179, 0.179, 0.072, 0.062),
)

# COCO's where COCO has the point. The rest are COCO-WholeBody's: corners of the eyes (face 36, 39, 42, 45), corners of
# the mouth (48, 54), first joints of little finger, index finger and thumb (hand 17, 5, 2), heel and big toe.
_BLAZEPOSE_SIGMAS = (
    *(0.026, 0.013, 0.025, 0.012, 0.011, 0.025, 0.017, 0.035, 0.035, 0.010, 0.008),
    *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.020, 0.020, 0.026, 0.026, 0.035, 0.035),
    *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089, 0.066, 0.094, 0.068, 0.092),
)

_BODY_EDGES = (
    "left_ankle-left_knee left_knee-left_hip right_ankle-right_knee right_knee-right_hip left_hip-right_hip "
    "left_shoulder-left_hip right_shoulder-right_hip left_shoulder-right_shoulder left_shoulder-left_elbow "
    "right_shoulder-right_elbow left_elbow-left_wrist right_elbow-right_wrist nose-left_eye nose-right_eye "
    "left_eye-left_ear right_eye-right_ear left_ear-left_shoulder right_ear-right_shoulder"
)
_FEET_EDGES = (
    "left_ankle-left_big_toe left_ankle-left_small_toe left_ankle-left_heel "
    "right_ankle-right_big_toe right_ankle-right_small_toe right_ankle-right_heel"
)
_MPII_EDGES = (
    "right_ankle-right_knee right_knee-right_hip left_ankle-left_knee left_knee-left_hip right_hip-pelvis "
    "left_hip-pelvis pelvis-thorax thorax-upper_neck upper_neck-head_top thorax-right_shoulder "
    "thorax-left_shoulder right_shoulder-right_elbow right_elbow-right_wrist left_shoulder-left_elbow "
    "left_elbow-left_wrist"
)
_OPENPOSE_EDGES = (
    "nose-neck neck-right_shoulder right_shoulder-right_elbow right_elbow-right_wrist neck-left_shoulder "
    "left_shoulder-left_elbow left_elbow-left_wrist right_hip-right_knee right_knee-right_ankle left_hip-left_knee "
    "left_knee-left_ankle nose-right_eye right_eye-right_ear nose-left_eye left_eye-left_ear"
)
_BODY_25_EDGES = f"{_OPENPOSE_EDGES} neck-mid_hip mid_hip-right_hip mid_hip-left_hip {_FEET_EDGES}"
_BLAZEPOSE_EDGES = (
    "nose-left_eye_inner left_eye_inner-left_eye left_eye-left_eye_outer left_eye_outer-left_ear "
    "nose-right_eye_inner right_eye_inner-right_eye right_eye-right_eye_outer right_eye_outer-right_ear "
    "left_mouth-right_mouth left_shoulder-right_shoulder left_shoulder-left_elbow left_elbow-left_wrist "
    "right_shoulder-right_elbow right_elbow-right_wrist left_wrist-left_pinky left_wrist-left_index "
    "left_wrist-left_thumb left_pinky-left_index right_wrist-right_pinky right_wrist-right_index "
    "right_wrist-right_thumb right_pinky-right_index left_shoulder-left_hip right_shoulder-right_hip "
    "left_hip-right_hip left_hip-left_knee right_hip-right_knee left_knee-left_ankle right_knee-right_ankle "
    "left_ankle-left_heel right_ankle-right_heel left_heel-left_foot_index right_heel-right_foot_index "
    "left_ankle-left_foot_index right_ankle-right_foot_index"
)
_KIMORE_EDGES = (
    "spine_base-spine_mid spine_mid-spine_shoulder spine_shoulder-neck spine_shoulder-left_shoulder "
    "spine_shoulder-right_shoulder left_shoulder-left_elbow left_elbow-left_wrist left_wrist-left_hand "
    "right_shoulder-right_elbow right_elbow-right_wrist right_wrist-right_hand spine_base-left_hip "
    "spine_base-right_hip left_hip-left_knee left_knee-left_ankle right_hip-right_knee right_knee-right_ankle"
)
_KINECT_EDGES = (
    f"{_KIMORE_EDGES} neck-head left_hand-left_hand_tip left_hand-left_thumb right_hand-right_hand_tip "
    "right_hand-right_thumb left_ankle-left_foot right_ankle-right_foot"
)
_UI_PRMD_EDGES = (
    "waist-spine spine-chest chest-neck neck-head head-head_tip chest-left_collar left_collar-left_upper_arm "
    "left_upper_arm-left_forearm left_forearm-left_hand chest-right_collar right_collar-right_upper_arm "
    "right_upper_arm-right_forearm right_forearm-right_hand waist-left_upper_leg left_upper_leg-left_lower_leg "
    "left_lower_leg-left_foot left_foot-left_toes waist-right_upper_leg right_upper_leg-right_lower_leg "
    "right_lower_leg-right_foot right_foot-right_toes"
)
_PLUG_IN_GAIT_EDGES = (
    "c7-t10 clavicle-sternum c7-clavicle t10-sternum t10-right_back t10-left_psis t10-right_psis "
    "c7-left_back_head c7-right_back_head left_back_head-right_back_head left_front_head-right_front_head "
    "left_front_head-left_back_head right_front_head-right_back_head clavicle-left_shoulder "
    "left_shoulder-left_upper_arm left_upper_arm-left_elbow left_elbow-left_forearm left_forearm-left_wrist_a "
    "left_wrist_a-left_wrist_b left_wrist_b-left_finger clavicle-right_shoulder right_shoulder-right_upper_arm "
    "right_upper_arm-right_elbow right_elbow-right_forearm right_forearm-right_wrist_a right_wrist_a-right_wrist_b "
    "right_wrist_b-right_finger left_asis-right_asis left_psis-right_psis left_asis-left_psis right_asis-right_psis "
    "left_asis-left_thigh left_thigh-left_knee left_knee-left_tibia left_tibia-left_ankle left_ankle-left_heel "
    "left_ankle-left_toe right_asis-right_thigh right_thigh-right_knee right_knee-right_tibia "
    "right_tibia-right_ankle right_ankle-right_heel right_ankle-right_toe"
)

# OpenPose names none: those of COCO's points, and of the shoulders and hips for what lies between them.
_SIGMA_OF = dict(zip([*_COCO_BODY, *_COCO_FEET], [*_BODY_SIGMAS, *_FEET_SIGMAS], strict=True))
_SIGMA_OF |= {"neck": _SIGMA_OF["left_shoulder"], "mid_hip": _SIGMA_OF["left_hip"]}


@dataclass(frozen=True)
class KeypointSet:
    """Names, symmetry, skeleton and tolerance of K keypoints, all as column indices.

    `sigmas` are the per-keypoint tolerances of OKS, empty where the set has none;
    `dimensions` is 2 (pixels) or 3 (metres, where a data set says no other unit).
    """

    name: str
    names: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    edges: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...] = ()
    dimensions: int = 2

    def __len__(self) -> int:
        return len(self.names)

    def index(self, keypoint: str) -> int:
        """Column of a keypoint by name."""
        if keypoint not in self.names:
            raise InputError(f"keypoint set '{self.name}' has no '{keypoint}': {nearest(keypoint, self.names)}")
        return self.names.index(keypoint)

    @property
    def flipped(self) -> tuple[int, ...]:
        """Column order after a left/right mirror: `mirrored = keypoints[..., flipped, :]`."""
        order = list(range(len(self)))
        for left, right in self.flip_pairs:
            order[left], order[right] = right, left
        return tuple(order)


def get(name: str) -> KeypointSet:
    """A keypoint set by name; InputError with the nearest name where there is none."""
    if name not in _SETS:
        raise InputError(f"no keypoint set '{name}': {nearest(name, _SETS)}")
    return _SETS[name]


def available() -> list[str]:
    """Names of all keypoint sets."""
    return sorted(_SETS)


def shared(one: str, other: str) -> tuple[list[int], list[int]]:
    """Columns of set `one` and of set `other` that hold the keypoints both have, in the order of `other`.

    By name alone: `out[:, to] = found[:, of]` for `of, to = shared("blazepose_33", "coco_17")`.
    """
    names, wanted = get(one).names, get(other).names
    both = [name for name in wanted if name in names]
    return [names.index(name) for name in both], [wanted.index(name) for name in both]


def _pairs_by_name(names: list[str]) -> tuple[tuple[int, int], ...]:
    sides = ((i, name.replace("left_", "right_", 1)) for i, name in enumerate(names) if name.startswith("left_"))
    return tuple((i, names.index(other)) for i, other in sides)


def _edges_by_name(names: list[str], edges: str) -> tuple[tuple[int, int], ...]:
    ends = (edge.split("-") for edge in edges.split())
    return tuple((names.index(a), names.index(b)) for a, b in ends)


def _chain(first: int, last: int, closed: bool = False) -> list[tuple[int, int]]:
    steps = [(i, i + 1) for i in range(first, last)]
    return [*steps, (last, first)] if closed else steps


def _wholebody() -> KeypointSet:
    faces = [f"face_{i}" for i in range(68)]
    hands = [f"{side}_hand_{i}" for side in ("left", "right") for i in range(21)]
    names = [*_COCO_BODY, *_COCO_FEET, *faces, *hands]
    face, left, right = names.index("face_0"), names.index("left_hand_0"), names.index("right_hand_0")
    edges = [
        *_edges_by_name(names, _BODY_EDGES),
        *_edges_by_name(names, _FEET_EDGES),
        *((face + a, face + b) for a, b in _face_edges()),
        *((start + a, start + b) for start in (left, right) for a, b in _hand_edges()),
        (names.index("left_wrist"), left),
        (names.index("right_wrist"), right),
    ]
    pairs = (*_pairs_by_name(names), *((face + a, face + b) for a, b in _face_pairs()))
    sigmas = (*_BODY_SIGMAS, *_FEET_SIGMAS, *_FACE_SIGMAS, *_HAND_SIGMAS, *_HAND_SIGMAS)
    return KeypointSet("coco_wholebody_133", tuple(names), pairs, tuple(edges), sigmas)


def _face_pairs() -> list[tuple[int, int]]:
    """Mirror pairs of the 68 face points: jaw, brows, nostrils, eyes, outer and inner lips."""
    jaw = [(i, 16 - i) for i in range(8)]
    brows = [(i, 43 - i) for i in range(17, 22)]
    nose = [(31, 35), (32, 34)]
    eyes = [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    lips = [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67)]
    return [*jaw, *brows, *nose, *eyes, *lips]


def _face_edges() -> list[tuple[int, int]]:
    lines = [(0, 16), (17, 21), (22, 26), (27, 30), (31, 35)]
    rings = [(36, 41), (42, 47), (48, 59), (60, 67)]
    drawn = [_chain(a, b) for a, b in lines] + [_chain(a, b, closed=True) for a, b in rings]
    return [edge for chain in drawn for edge in chain]


def _hand_edges() -> list[tuple[int, int]]:
    """Five fingers of four points each from the root of the hand, point 0."""
    return [edge for first in range(1, 21, 4) for edge in [(0, first), *_chain(first, first + 3)]]


def _by_name(
    name: str, names: list[str], edges: str, sigmas: tuple[float, ...] = (), dimensions: int = 2
) -> KeypointSet:
    return KeypointSet(name, tuple(names), _pairs_by_name(names), _edges_by_name(names, edges), sigmas, dimensions)


_SETS = {
    chosen.name: chosen
    for chosen in (
        _by_name("coco_17", _COCO_BODY, _BODY_EDGES, _BODY_SIGMAS),
        _wholebody(),
        _by_name("mpii_16", _MPII, _MPII_EDGES, _MPII_SIGMAS),
        _by_name("body_25", _BODY_25, _BODY_25_EDGES, tuple(map(_SIGMA_OF.get, _BODY_25))),
        _by_name(
            "openpose_18",
            _OPENPOSE,
            f"{_OPENPOSE_EDGES} neck-right_hip neck-left_hip",
            tuple(map(_SIGMA_OF.get, _OPENPOSE)),
        ),
        _by_name("blazepose_33", _BLAZEPOSE, _BLAZEPOSE_EDGES, _BLAZEPOSE_SIGMAS),
        _by_name("kimore_18", _KIMORE, _KIMORE_EDGES, dimensions=3),
        _by_name("kinect_25", _KINECT, _KINECT_EDGES, dimensions=3),
        _by_name("ui_prmd_22", _UI_PRMD, _UI_PRMD_EDGES, dimensions=3),
        _by_name("plug_in_gait_39", _PLUG_IN_GAIT, _PLUG_IN_GAIT_EDGES, dimensions=3),
    )
}
