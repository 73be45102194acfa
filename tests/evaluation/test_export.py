import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from aqa_pipeline import keypoint_sets, stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation.export import export
from aqa_pipeline.pose import precomputed

COCO = keypoint_sets.get("coco_17")
FACTS = dict(fps=20.0, width=64, height=48)


def clip(n_frames, seed=0, lost=()):
    """Keypoints (T, 17, 3) in a picture of 64 x 48; the frames `lost`, and the nose everywhere, were not found."""
    found = np.random.default_rng(seed).uniform([5, 5, 0.1], [60, 44, 1], (n_frames, 17, 3)).astype(np.float32)
    found[list(lost)] = np.nan
    found[:, 0] = np.nan
    return found


def keypoint_store(path, videos, keypoint_set="coco_17"):
    with stores.write(path, kind="keypoints", version=1, made_by={}) as store:
        for video_id, found in videos.items():
            found = found if isinstance(found, dict) else {"keypoints": found}
            store.put(video_id, found, keypoint_set=keypoint_set, **FACTS)
    return path


def box_store(path, **videos):
    with stores.write(path, kind="boxes", version=1, made_by={}) as store:
        for video_id, found in videos.items():
            store.put(video_id, {"boxes": np.array(found, np.float32)}, **FACTS)
    return path


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    found=arrays.arrays(
        np.float32, st.tuples(st.integers(1, 5), st.just(17), st.just(3)), elements=st.floats(-1e4, 1e4, width=32)
    ),
    data=st.data(),
)
def test_a_csv_is_read_back_as_it_was(tmp_path, found, data):
    lost = data.draw(arrays.arrays(bool, found.shape[:2]))
    lost[0, 3] = False  # a file without a point is refused
    found[lost] = np.nan
    export(keypoint_store(tmp_path / "k.h5", {"a": found}), tmp_path / "a.csv")
    again, facts = precomputed.read(tmp_path / "a.csv", keypoint_set="coco_17")
    np.testing.assert_array_equal(again, found)
    assert facts["keypoint_set"] == "coco_17"


def test_rows_of_csv_and_parquet_are_the_same(tmp_path):
    store = keypoint_store(tmp_path / "k.h5", {"a/1": clip(3, lost=[1]), "b": clip(2, seed=1)})
    for name in ("k.csv", "k.parquet"):
        export(store, tmp_path / name)
    text, binary = pd.read_csv(tmp_path / "k.csv"), pd.read_parquet(tmp_path / "k.parquet")
    assert list(text) == list(binary) == ["video_id", "frame", "time", "keypoint", "x", "y", "confidence"]
    pd.testing.assert_frame_equal(text, binary, check_dtype=False, rtol=1e-6)
    assert len(text) == (3 + 2) * 17
    second = text[(text["video_id"] == "a/1") & (text["keypoint"] == "left_ankle")]
    assert second["time"].tolist() == [0.0, 0.05, 0.1]
    assert second["x"].isna().tolist() == [False, True, False]
    assert np.float32(second["x"].iloc[2]) == clip(3)[2, 15, 0]


def test_times_come_from_the_frames_where_they_are_given(tmp_path):
    store = keypoint_store(tmp_path / "k.h5", {"a": clip(3)})
    for name, times in (("f.h5", [0.0, 0.04, 0.2]), ("g.h5", [0.0])):
        with stores.write(tmp_path / name, kind="frames", version=1, made_by={}) as frames:
            frames.put("a", {"time": np.array(times)})
    export(store, tmp_path / "k.csv", frames=tmp_path / "f.h5")
    assert pd.read_csv(tmp_path / "k.csv")["time"].unique().tolist() == [0.0, 0.04, 0.2]
    with pytest.raises(InputError, match=r"g.h5: 'a' has 1 frames, .*k.h5 has 3"):
        export(store, tmp_path / "other.csv", frames=tmp_path / "g.h5")
    assert not (tmp_path / "other.csv").exists()


def test_pairs_have_a_column_more(tmp_path):
    both = {"keypoints": clip(2), "partner_keypoints": clip(2, seed=5)}
    export(keypoint_store(tmp_path / "k.h5", {"single": clip(3), "pair": both}), tmp_path / "k.csv")
    table = pd.read_csv(tmp_path / "k.csv")
    assert list(table)[:3] == ["video_id", "athlete", "frame"]
    assert table.groupby(["video_id", "athlete"]).size().to_dict() == {
        ("pair", 0): 34,
        ("pair", 1): 34,
        ("single", 0): 51,
    }
    export(tmp_path / "k.h5", tmp_path / "k.json")
    found = json.loads((tmp_path / "k.results.json").read_text())
    assert [(a["image_id"], a.get("athlete")) for a in found] == [
        (1, 0), (1, 1), (2, 0), (2, 1), (3, None), (4, None), (5, None)
    ]  # fmt: skip


def test_boxes_have_a_row_a_frame(tmp_path):
    nobody = [np.nan] * 5
    store = box_store(tmp_path / "b.h5", a=[[1, 2, 11, 32, 0.5], nobody, [3, 4, 5, 6, 0.25]])
    export(store, tmp_path / "b.csv")
    lines = (tmp_path / "b.csv").read_text().splitlines()
    assert lines == [
        "video_id,frame,time,x1,y1,x2,y2,confidence", "a,0,0.0,1.0,2.0,11.0,32.0,0.5", "a,1,0.05,,,,,",
        "a,2,0.1,3.0,4.0,5.0,6.0,0.25",
    ]  # fmt: skip


def test_pycocotools_reads_keypoints(tmp_path):
    from pycocotools import coco
    from pycocotools.cocoeval import COCOeval

    videos = {"a": clip(3, lost=[1]), "b": clip(2, seed=1)}
    export(keypoint_store(tmp_path / "k.h5", videos), tmp_path / "k.json")
    labels = coco.COCO(str(tmp_path / "k.json"))
    assert sorted(labels.getImgIds()) == [1, 2, 3, 4, 5]
    assert labels.loadImgs(4)[0] == {
        "id": 4, "file_name": "b/000000.jpg", "video_id": "b", "frame": 0, "width": 64, "height": 48
    }  # fmt: skip
    person = labels.loadCats(1)[0]
    assert person["keypoints"] == list(COCO.names)
    assert [person["keypoints"][i - 1] for i in person["skeleton"][0]] == [COCO.names[i] for i in COCO.edges[0]]
    assert labels.getAnnIds(imgIds=[2]) == []  # nobody was found there
    first = labels.loadAnns(labels.getAnnIds(imgIds=[1]))[0]
    assert first["num_keypoints"] == 16
    assert first["keypoints"][:3] == [0, 0, 0]
    assert first["keypoints"][3:6] == pytest.approx([*videos["a"][0, 1, :2], 2], abs=1e-3)
    assert first["bbox"][:2] == pytest.approx(videos["a"][0, 1:, :2].min(axis=0), abs=1e-3)
    found = labels.loadRes(str(tmp_path / "k.results.json"))
    assert len(found.getAnnIds()) == 4
    evaluation = COCOeval(labels, found, "keypoints")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)


def test_pycocotools_reads_boxes(tmp_path):
    from pycocotools import coco

    export(box_store(tmp_path / "b.h5", a=[[np.nan] * 5, [1, 2, 11, 32, 0.5]]), tmp_path / "b.json")
    found = coco.COCO(str(tmp_path / "b.json")).loadRes(str(tmp_path / "b.results.json"))
    (only,) = found.loadAnns(found.getAnnIds())
    assert (only["image_id"], only["bbox"], only["score"], only["area"]) == (2, [1, 2, 10, 30], 0.5, 300)


def test_only_the_videos_that_are_asked_for(tmp_path):
    store = keypoint_store(tmp_path / "k.h5", {"a": clip(3), "b": clip(2)})
    export(store, tmp_path / "k.parquet", videos=["b"])
    assert pd.read_parquet(tmp_path / "k.parquet")["video_id"].unique().tolist() == ["b"]
    with pytest.raises(InputError, match=r"--video: .*k.h5 has no 'c', known: a, b"):
        export(store, tmp_path / "k.csv", videos=["c"])


def test_what_cannot_be_written_is_said(tmp_path):
    store = keypoint_store(tmp_path / "k.h5", {"a": clip(1)})
    with pytest.raises(InputError, match=r"--to: no '.txt', known: coco, csv, parquet"):
        export(store, tmp_path / "a.txt")
    with pytest.raises(InputError, match=r"holds no video"):
        export(keypoint_store(tmp_path / "none.h5", {}), tmp_path / "a.csv")
    with stores.write(tmp_path / "f.h5", kind="features", version=1, made_by={}):
        pass
    with pytest.raises(InputError, match=r"f.h5: holds features, expected boxes or keypoints"):
        export(tmp_path / "f.h5", tmp_path / "a.csv")
    (tmp_path / "noise.h5").write_bytes(b"noise")
    with pytest.raises(InputError, match=r"noise.h5: damaged or not a store of ours"):
        export(tmp_path / "noise.h5", tmp_path / "a.csv")
    deep = keypoint_store(tmp_path / "d.h5", {"a": np.ones((2, 18, 4))}, keypoint_set="kimore_18")
    with pytest.raises(InputError, match=r"kimore_18 has 3 dimensions, expected 2 for COCO"):
        export(deep, tmp_path / "a.json")
    export(deep, tmp_path / "d.csv")
    assert list(pd.read_csv(tmp_path / "d.csv"))[-4:] == ["x", "y", "z", "confidence"]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", *[".h5"] * 5]
