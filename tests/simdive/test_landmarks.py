import numpy as np

from aqa_pipeline.simdive import landmarks
from aqa_pipeline.simdive.body import Body

POINTS = landmarks.points(Body(height=1.65).lengths)
LOCAL = np.array([p for _, p in POINTS])


def test_order_of_the_133_points():
    assert len(POINTS) == 133
    segments = [s for s, _ in POINTS]
    assert segments[:5] == ["head"] * 5
    assert segments[5:17] == [
        f"{side}_{joint}" for joint in ("arm", "forearm", "hand", "thigh", "shank", "foot") for side in "lr"
    ]
    assert segments[17:23] == ["l_foot"] * 3 + ["r_foot"] * 3
    assert segments[23:91] == ["head"] * 68
    assert segments[91:112] == ["l_hand"] * 21
    assert segments[112:] == ["r_hand"] * 21


def test_face_is_in_front_and_its_sides_are_the_divers():
    face = LOCAL[23:91]
    ear_x = LOCAL[3:5, 0]
    assert face[17:, 0].min() > ear_x.max() + 0.05  # all but the jaw's ends lie well in front of the ears
    right_eye, left_eye, mouth = face[36:42].mean(0), face[42:48].mean(0), face[48:].mean(0)
    assert right_eye[2] > 0.02
    assert left_eye[2] < -0.02
    assert mouth[1] < right_eye[1] - 0.03
    assert face[0, 2] > 0 > face[16, 2]
    assert face[8, 1] == face[:17, 1].min()
    assert LOCAL[1, 2] < 0 < LOCAL[2, 2]  # COCO: left eye before right eye


def test_hands_mirror_each_other():
    left, right = LOCAL[91:112], LOCAL[112:]
    assert np.allclose(left * (1, 1, -1), right)
    tips = right[[4, 8, 12, 16, 20]]
    assert tips[:, 1].argmin() == 2  # the middle finger reaches farthest
    assert np.all(np.diff(tips[:, 0]) < 0)  # thumb in front, little finger behind
