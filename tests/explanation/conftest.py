"""Athletes made by hand, whose answers are known."""

import numpy as np
import pytest

from aqa_pipeline import keypoint_sets

COCO = keypoint_sets.get("coco_17")


@pytest.fixture(scope="session")
def athlete():
    """Makes keypoints (T, 17, 3) of a body whose trunk turns; angles in degrees, against the trunk or the thigh."""

    def make(n_frames=31, *, turns=1.0, arm=10.0, hip=30.0, knee=20.0, size=20.0, at=(100.0, 80.0)):
        angle = np.radians(-90) + 2 * np.pi * turns * np.linspace(0, 1, n_frames)  # upwards at first, y down
        hips = np.array(at) + np.linspace(0, 5, n_frames)[:, None]
        place = {"hip": hips, "shoulder": hips + size * _way(angle)}
        place["elbow"] = place["shoulder"] + 0.6 * size * _way(angle + np.radians(arm))
        place["wrist"] = place["elbow"] + 0.6 * size * _way(angle + np.radians(arm))
        thigh = angle + np.pi - np.radians(hip)
        place["knee"] = hips + 0.8 * size * _way(thigh)
        place["ankle"] = place["knee"] + 0.8 * size * _way(thigh + np.radians(knee))
        place |= {name: place["shoulder"] + 0.4 * size * _way(angle) for name in ("nose", "eye", "ear")}
        points = np.ones((n_frames, 17, 3))
        for number, name in enumerate(COCO.names):
            side = {"left": 0.05, "right": -0.05}.get(name.split("_")[0], 0.0)
            points[:, number, :2] = place[name.split("_")[-1]] + side * size * _way(angle + np.pi / 2)
        return points

    return make


def _way(angle):
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)
