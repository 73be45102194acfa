"""Rendered dives as labelled pictures of both forms, through measuring and fine-tuning."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import frames, keypoint_sets, weights
from aqa_pipeline.errors import InputError
from aqa_pipeline.labelled import in_set
from aqa_pipeline.simdive import clips, dives
from aqa_pipeline.stages.fine_tune_estimator import fine_tune_estimator
from aqa_pipeline.stages.measure_labelled import measure_labelled

EMBEDDED = {"embedded": {"use": "embedded", "options": {}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Some frames of three dives that no network was trained on, labelled in COCO's and in MPII's form."""
    folder = tmp_path_factory.mktemp("labelled")
    coco = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "person"}]}
    mpii = []
    for index in (0, 1, 2):
        clip = clips.simulate_clip(dives.draw_dive(31, index))
        in_flight = [t for t, name in enumerate(clip.sub_actions) if np.isfinite(clip.boxes[t, 0]) and name != "Entry"]
        for t in in_flight[4::7][:6]:
            name = f"{index}_{t:03d}.jpg"
            (folder / name).write_bytes(frames.encode_jpeg(clip.frames[t]).tobytes())
            add(coco, mpii, name, f"dive{index}", clip.boxes[t], clip.keypoints[t, :17])
    (folder / "coco.json").write_text(json.dumps(coco))
    (folder / "mpii.json").write_text(json.dumps(mpii))
    return folder


def add(coco, mpii, name, clip, box, keypoints):
    x1, y1, x2, y2 = map(float, box)
    known = np.where(keypoints[:, 2:] > 0, keypoints, 0).astype(float)
    number = len(coco["images"]) + 1
    coco["images"].append(dict(id=number, file_name=name, clip=clip))
    placed = dict(bbox=[x1, y1, x2 - x1, y2 - y1], area=0.53 * (x2 - x1) * (y2 - y1))
    coco["annotations"].append(dict(image_id=number, category_id=1, keypoints=known.ravel().tolist(), **placed))
    joints = in_set(known, "coco_17", "mpii_16")
    centre, scale = [(x1 + x2) / 2, (y1 + y2) / 2], max(x2 - x1, y2 - y1) / 200
    seen = dict(joints=joints[:, :2].tolist(), joints_vis=(joints[:, 2] > 0).astype(int).tolist())
    mpii.append(dict(image=name, clip=clip, center=centre, scale=scale, **seen))


def block(folder, form, groups=(), **options):
    """A labelled set as the rules hand it over."""
    return dict(form=form, annotations=str(folder / f"{form}.json"), images=str(folder), options=options, groups=groups)


def table(path):
    return pd.read_csv(path).set_index(["name", "metric", "group"])


def test_the_shipped_networks_on_labelled_dives(folder, tmp_path):
    measure_labelled(
        tmp_path / "q.csv",
        labelled=block(folder, "coco", group="clip"),
        detectors=EMBEDDED,
        estimators=EMBEDDED,
        detection=["embedded"],
        pose=["embedded.embedded", "given.embedded"],
        bootstrap=30,
        device="cpu",
    )
    found = table(tmp_path / "q.csv")
    assert found.loc[("embedded", "recall_iou_50", "all"), "value"] > 0.8
    for pair in ("embedded.embedded", "given.embedded"):
        assert found.loc[(pair, "pck_20", "all"), "value"] > 0.85
        assert found.loc[(pair, "ap_50", "all"), "value"] > 0.6
    assert found.loc[("given.embedded", "people_with_pose", "all"), "value"] == 1
    assert {"all", "upside_down", "group dive0", "group dive2"} <= set(found.index.get_level_values("group"))
    shown = found.dropna(subset=["ci_low"])
    assert (shown.ci_low <= shown.ci_high).all()


def test_fine_tuning_makes_weights_that_the_estimator_takes(folder, tmp_path):
    outs = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
    for out in outs:
        fine_tune_estimator(
            out,
            labelled={"dives": block(folder, "mpii")},
            keypoint_set="mpii_16",
            validation=["dive2"],
            steps=2,
            options={"batch": 3},
            bootstrap=20,
        )
    assert outs[0].read_bytes() == outs[1].read_bytes()
    facts = weights.facts(outs[0])
    assert facts["keypoint_set"] == "mpii_16"
    assert facts["training"]["start"] == weights.sha256("estimator_coco_17")
    assert facts["training"]["frames"] == 12
    validation = table(tmp_path / "one.validation.csv")
    assert validation.loc[("dives.start", "pck_20", "all"), "value"] > 0.8
    assert validation.loc[("dives.fine_tuned", "people_with_pose", "all"), "n"] == 6
    measure_labelled(
        tmp_path / "q.csv",
        labelled=block(folder, "mpii", groups=["dive2"]),
        estimators={"tuned": {"use": "embedded", "options": {"weights": str(outs[0]), "keypoint_set": "mpii_16"}}},
        pose=["given.tuned"],
        bootstrap=5,
        device="cpu",
    )
    row = table(tmp_path / "q.csv").loc[("given.tuned", "people_with_pose", "all")]
    assert (row.value, row.n) == (1, 6)
    assert table(tmp_path / "q.csv").loc[("given.tuned", "pck_20", "all"), "value"] > 0.5
    assert len(keypoint_sets.get(facts["keypoint_set"])) == facts["options"]["n_keypoints"] == 16


def test_a_group_that_is_not_there_is_named_and_nothing_written(folder, tmp_path):
    with pytest.raises(InputError, match="validation: no group 'dive7' in the labelled sets, did you mean 'dive"):
        fine_tune_estimator(
            tmp_path / "x.safetensors", labelled={"dives": block(folder, "mpii")}, validation=["dive7"], steps=1
        )
    with pytest.raises(InputError, match=r"mpii\.json: no group 'dive', did you mean 'dive"):
        measure_labelled(tmp_path / "x.csv", labelled=block(folder, "mpii", groups=["dive"]))
    assert not list(tmp_path.iterdir())
