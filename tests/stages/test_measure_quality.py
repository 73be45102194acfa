"""Boxes, keypoints and faults against a truth of two videos that is made by hand."""

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import quality
from aqa_pipeline.stages.measure_faults import measure_faults
from aqa_pipeline.stages.measure_quality import measure_quality

FACTS = dict(fps=10.0, takeoff_time=0.2, entry_time=0.6, submerged_time=0.8, mirrored=False)


def true_keypoints(n_frames):
    """An upright body 40 pixels high; the last point of every frame lies under water."""
    points = np.zeros((n_frames, 133, 3), np.float32)
    points[:, :, 0], points[:, :, 1] = 50 + np.arange(133) % 7, np.linspace(10, 50, 133)
    points[:, :, 2] = 2
    points[:, 16, 2] = 0
    return points


@pytest.fixture
def truth(tmp_path):
    """Ten frames of `a`, of which the last two have no athlete, and four of `b`."""
    paths = []
    for shard, (video_id, n_frames, hidden) in enumerate([("a", 10, 2), ("b", 4, 0)]):
        box = np.tile(np.array([40.0, 10, 60, 50], np.float32), (n_frames, 1))
        box[n_frames - hidden :] = np.nan
        paths.append(tmp_path / "truth" / "simdive" / f"{shard:04d}.h5")
        with stores.write(paths[-1], kind="truth", version=1, made_by={}) as store:
            store.put(video_id, {"box": box, "keypoints": true_keypoints(n_frames)}, fault_knees=float(shard), **FACTS)
    return paths


@pytest.fixture
def found(tmp_path):
    def write(kind, name, **videos):
        path = tmp_path / kind / "simdive" / name / "0000.h5"
        with stores.write(path, kind=kind, version=1, made_by={}) as store:
            for video_id, array in videos.items():
                store.put(video_id, {kind: array}, keypoint_set=f"coco_{array.shape[1]}")
        return path

    return write


def values(path):
    table = pd.read_csv(path)
    return {(r.name_, r.measure, r.group): (r.value, r.n) for r in table.rename(columns={"name": "name_"}).itertuples()}


def test_recall_by_hand(truth, found, tmp_path):
    boxes = np.tile([40.0, 10, 60, 50, 0.9], (10, 1))
    boxes[2, :4] += 100  # the first frame in flight is missed
    boxes[3, 3] = 30  # half of the box: an IoU of 0.5 is met
    path = found("boxes", "embedded", a=boxes)
    measure_quality(truth, tmp_path / "quality.csv", boxes=[path])
    known = values(tmp_path / "quality.csv")
    assert known["embedded", "recall_iou_50", "in_flight"] == (0.5, 6)  # a: 3 of 4; b was left out: 0 of 2
    assert known["embedded", "recall_iou_50", "before_take_off"] == (0.5, 4)  # a: 2 of 2, b: 0 of 2
    assert known["embedded", "recall_iou_50", "all"] == (pytest.approx(7 / 12, abs=1e-4), 12)
    assert known["embedded", "false_box_rate", "all"] == (1.0, 2)


def test_pck_by_hand(truth, found, tmp_path):
    points = true_keypoints(10)[:, :17] * [1, 1, 0.45]
    points[2:6, 0, 1] += 12  # more than 0.2 of the box's 40 pixels, in flight
    points[8:, :, :2] += 500  # frames without a visible athlete are not asked for
    points[:, 16, :2] += 500  # nor is what lies under water
    path = found("keypoints", "embedded.embedded_17", a=points, b=true_keypoints(4)[:, :17])
    measure_quality(truth, tmp_path / "quality.csv", keypoints=[path])
    known = values(tmp_path / "quality.csv")
    name = "embedded.embedded_17"
    assert known[name, "pck_20", "before_take_off"] == (1.0, 4 * 16)
    assert known[name, "pck_20", "in_flight"] == (pytest.approx(1 - 4 / 96, abs=1e-4), 6 * 16)
    assert known[name, "pck_20", "all"] == (pytest.approx(1 - 4 / 192, abs=1e-4), 12 * 16)


def test_parts_of_the_whole_body(truth, found, tmp_path):
    points = {"a": true_keypoints(10), "b": true_keypoints(4)}
    points["a"][:, 91:] = np.nan  # no hands were found in `a`
    path = found("keypoints", "embedded.whole", **points)
    with stores.read(path, kind="keypoints") as store, pytest.raises(InputError):
        store.array("c", "keypoints")
    with pytest.raises(InputError, match="no keypoint set 'coco_133'"):
        measure_quality(truth, tmp_path / "quality.csv", keypoints=[path])
    renamed = path.parents[1] / "embedded.renamed" / "0000.h5"
    with stores.write(renamed, kind="keypoints", version=1, made_by={}) as store:
        for video_id, array in points.items():
            store.put(video_id, {"keypoints": array}, keypoint_set="coco_wholebody_133")
    measure_quality(truth, tmp_path / "quality.csv", keypoints=[renamed])
    known = values(tmp_path / "quality.csv")
    assert known["embedded.renamed", "pck_20_hands", "all"] == (pytest.approx(4 / 12, abs=1e-4), 12 * 42)
    assert known["embedded.renamed", "pck_20_body", "all"] == (1.0, 12 * 16)


def test_an_array_of_another_length_is_named(truth, found, tmp_path):
    path = found("boxes", "embedded", a=np.zeros((9, 5)))
    with pytest.raises(InputError, match=r"boxes of 'a' of shape \(9, 5\), expected \(10, 5\)"):
        measure_quality(truth, tmp_path / "quality.csv", boxes=[path])
    assert not (tmp_path / "quality.csv").exists()


def test_parts_of_a_dive():
    groups = quality.frame_groups(FACTS, 10)
    assert {name: list(np.flatnonzero(frames)) for name, frames in groups.items()} == {
        "before_take_off": [0, 1],
        "in_flight": [2, 3, 4, 5],
        "entering": [6, 7],
    }


def test_faults_are_read_from_keypoints(tmp_path):
    """Six pikes whose knees bend more and more: the measure follows where the points do, and not where they do not."""
    rng = np.random.default_rng(0)
    steps = [{"sub_action": name, "first_frame": f} for name, f in (("take_off", 0), ("pike", 4), ("entry", 16))]
    truth, good, noise = {}, {}, {}
    for i in range(6):
        points = np.zeros((24, 133, 3), np.float32)
        points[..., 2] = 2
        bend = np.radians(6 * i)
        for side, x in ((5, 0), (6, 2)):
            points[:, side, :2] = [100 + x, 40]  # shoulders, hips, knees, ankles of one side
            points[:, side + 6, :2] = [100 + x, 80]
            points[:, side + 8, :2] = [130 + x, 80]
            points[:, side + 10, :2] = [130 + x + 30 * np.cos(bend), 80 + 30 * np.sin(bend)]
        truth[f"v{i}"], good[f"v{i}"] = points, points[:, :17] + [0, 0, -1.1]
        noise[f"v{i}"] = rng.uniform(0, 200, (24, 17, 3))
    facts = {**FACTS, "fps": 20.0, "entry_time": 1.0}
    with stores.write(tmp_path / "truth.h5", kind="truth", version=1, made_by={}) as store:
        for i, (video_id, points) in enumerate(truth.items()):
            store.put(video_id, {"keypoints": points}, fault_knees=6.0 * i, fault_splash=float(i), **facts)
    table = pd.DataFrame({"video_id": list(truth), "action_type": "105b", "steps": [steps] * 6})
    table.to_parquet(tmp_path / "samples.parquet")
    read = {}
    for name, keypoints in (("good", good), ("noise", noise)):
        with stores.write(tmp_path / f"{name}.h5", kind="keypoints", version=1, made_by={}) as store:
            for video_id, points in keypoints.items():
                store.put(video_id, {"keypoints": points}, keypoint_set="coco_17")
        out = tmp_path / f"{name}.csv"
        paths = dict(truth=[tmp_path / "truth.h5"], keypoints=[tmp_path / f"{name}.h5"])
        measure_faults(tmp_path / "samples.parquet", out, **paths)
        read[name] = pd.read_csv(out).set_index("fault")
    assert read["good"].loc["knees", ["n", "rho_true", "rho_estimated"]].tolist() == [6, 1.0, 1.0]
    assert read["noise"].loc["knees", "rho_true"] == 1.0
    assert abs(read["noise"].loc["knees", "rho_estimated"]) < 0.9
    assert read["good"].loc["splash", "n"] == 0
    assert np.isnan(read["good"].loc["splash", "rho_true"])
