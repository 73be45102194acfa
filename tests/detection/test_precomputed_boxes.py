"""Boxes from files: forms that agree, frames that are counted as the video counts them, mistakes that are named."""

import csv
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline import stores
from aqa_pipeline.detection import precomputed
from aqa_pipeline.errors import AbsentError, InputError
from aqa_pipeline.frames import encode_jpeg
from aqa_pipeline.stages.detect_athlete import detect_athlete

# Frame 4: two people, the surer one second; frame 6: one. Frame 5 has nobody.
BEST, OTHER, LAST = [30, 8, 50, 60, 0.9], [1, 2, 11, 22, 0.5], [31, 9, 52, 63, 0.75]
CSV = "frame,x1,y1,x2,y2,confidence,by\n4,1,2,11,22,0.5,a\n6,31,9,52,63,0.75,a\n\n4,30,8,50,60,0.9,b\n"


def coco(number, box, **more):
    x1, y1, x2, y2, score = box
    return {"image_id": number, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score, **more}


RESULTS = [coco(4, OTHER, category_id=1), coco(6, LAST), coco(4, BEST, category_id=1), coco(4, BEST, category_id=18)]
ANNOTATIONS = {
    "images": [{"id": 907}, {"id": 33}, {"id": 90}],
    "annotations": [
        coco(33, OTHER, category_id=7),
        coco(907, LAST, category_id=7),
        coco(33, BEST, category_id=7),
        coco(90, BEST, category_id=1),
    ],
    "categories": [{"id": 1, "name": "dog"}, {"id": 7, "name": "person"}],
}


def write(folder, form):
    if form == "csv":
        (folder / "a.csv").write_text(CSV)
    elif form == "npz":
        nobody = [np.nan] * 5
        boxes = np.array([[OTHER, BEST], [nobody, nobody], [nobody, LAST]])
        np.savez(folder / "a.npz", boxes=boxes, frame=np.array([4, 5, 6]))
    else:
        (folder / "a.json").write_text(json.dumps(RESULTS if form == "results" else ANNOTATIONS))


def found(folder, numbers, name="a"):
    frames = [np.zeros((70, 90, 3), np.uint8)] * len(numbers)
    return list(precomputed.build(folder=str(folder)).for_video(name, np.array(numbers))(frames))


@pytest.mark.parametrize("form", ["csv", "npz", "results", "annotations"])
def test_forms_agree(tmp_path, form):
    write(tmp_path, form)
    first, second, third = found(tmp_path, [4, 5, 6])
    assert first.dtype == np.float32
    assert first == pytest.approx(np.array([BEST, OTHER]))
    assert second.shape == (0, 5)
    assert third == pytest.approx(np.array([LAST]))


@pytest.mark.parametrize("form", ["csv", "npz", "results"])
def test_numbers_are_those_of_the_video(tmp_path, form):
    write(tmp_path, form)
    assert [len(boxes) for boxes in found(tmp_path, [5, 6, 7, 8])] == [0, 1, 0, 0]
    with pytest.raises(InputError, match="no box in frames 7 to 8, which are the clip's"):
        found(tmp_path, [7, 8])


def test_rows_without_numbers_are_the_clips_frames(tmp_path):
    write(tmp_path, "annotations")
    with pytest.raises(InputError, match=r"a\.json: boxes of 3 frames, expected the 2 of the clip"):
        found(tmp_path, [4, 5])
    np.savez(tmp_path / "b.npz", boxes=np.array([LAST[:4], BEST[:4]]))
    first, second = found(tmp_path, [40, 41], "b")
    assert first.tolist() == [[31, 9, 52, 63, 1]]
    assert second[0, 4] == 1


def test_squares_of_mpii(tmp_path):
    records = [{"image": f"dive_{n:05d}.jpg", "center": [50.0, 40.0], "scale": 0.1 * n} for n in (3, 5)]
    (tmp_path / "a.json").write_text(json.dumps(records))
    first, nobody, second = found(tmp_path, [3, 4, 5])
    assert first[0] == pytest.approx([20, 10, 80, 70, 1])  # a side of 200 * 0.3 pixels
    assert len(nobody) == 0
    assert second[0] == pytest.approx([0, -10, 100, 90, 1])


def test_the_stage_asks_for_each_video_by_name(tmp_path):
    boxes = tmp_path / "boxes"
    boxes.mkdir()
    write(boxes, "csv")
    jpeg = encode_jpeg(np.zeros((70, 90, 3), np.uint8)).ravel()
    with stores.write(tmp_path / "frames.h5", kind="frames", version=1, made_by={}) as store:
        for video_id in ("a", "b"):
            arrays = dict(jpeg=np.tile(jpeg, 3), offset=len(jpeg) * np.arange(4), frame_number=np.array([4, 5, 6]))
            store.put(video_id, arrays, fps=25.0, width=90, height=70)
    options = {"folder": str(boxes)}
    detect_athlete(
        tmp_path / "frames.h5", tmp_path / "out.h5", detector="precomputed", athlete="largest_box", options=options
    )
    with stores.read(tmp_path / "out.h5", kind="boxes") as store:
        assert store.array("a", "boxes")[[0, 2]] == pytest.approx(np.array([BEST, LAST]))
        assert np.isnan(store.array("a", "boxes")[1]).all()
        stage, reason = store.failures["b"]
    assert stage == "absent"
    assert "no file of boxes, expected .csv or .npz or .json" in reason


def test_places(tmp_path):
    with pytest.raises(InputError, match=r"folder: found .*nowhere', expected a folder"):
        precomputed.build(folder=str(tmp_path / "nowhere"))
    with pytest.raises(AbsentError, match="no file of boxes"):
        found(tmp_path, [0])
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.csv").write_text(CSV)
    with pytest.raises(InputError, match="leads out of"):
        found(tmp_path / "inner", [4], "../a")


HEAD = "frame,x1,y1,x2,y2\n"
MISTAKES = {
    "head.csv": ("frame,x1,y1,x2\n0,1,2,3\n", "row 1: found .*expected one column 'y2'"),
    "frame.csv": (HEAD + "-3,1,2,3,4\n", "row 2, column frame: found '-3', expected a whole number"),
    "text.csv": (HEAD + "0,1,left,3,4\n", "row 2, column y1: found 'left', expected a number"),
    "order.csv": (HEAD + "7,5,2,3,4\n", r"frame 7: box .*expected x1 <= x2"),
    "inf.csv": (HEAD + "7,1,2,inf,4\n", r"frame 7: box .*expected x1 <= x2"),
    "cells.csv": (HEAD + "7,1\n", "row 2: found 2 cells, expected 5"),
    "none.csv": (HEAD, "holds no box"),
    "a.json": ("{", "cannot be read as JSON"),
    "other.json": ('{"people": 1}', "expected COCO annotations or results"),
    "box.json": ('[{"image_id": 0, "bbox": [1, 2, 3]}]', "bbox of 3 numbers, expected 4"),
    "nobox.json": ('[{"image_id": 0}]', "bbox: found NoneType, expected numbers"),
    "id.json": ('[{"image_id": 10034180000, "bbox": [1, 2, 3, 4]}]', "expected frame numbers from 0"),
    "idless.json": ('[{"image_id": 0, "bbox": [1, 2, 3, 4]}, {}]', "expected a record with a whole number"),
    "twice.json": ('{"images": [{"id": 3}, {"id": 3}], "annotations": []}', "2 images with 1 ids"),
    "stray.json": ('{"images": [{"id": 3}], "annotations": [{"image_id": 4}]}', "image_id 4 is not among the images"),
    "kinds.json": (
        '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]}',
        "2 categories, expected one that is called 'person'",
    ),
    "mpii.json": ('[{"image": "a.jpg", "center": [1, 2], "scale": 1}]', "expected a name that ends with the number"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(tmp_path, name):
    content, message = MISTAKES[name]
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        precomputed.read(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_arrays_that_do_not_fit_are_named(tmp_path):
    path = tmp_path / "a.npz"
    for arrays, message in (
        (dict(box=np.zeros((2, 5))), "no array 'boxes', did you mean 'box'"),
        (dict(boxes=np.zeros((2, 6))), r"shape \(2, 6\), expected"),
        (dict(boxes=np.array([["a"]])), "no even array of numbers"),
        (dict(boxes=np.zeros((2, 5)), frame=np.array([3, 3])), "expected a whole number of its own"),
        (dict(boxes=np.array([{}], dtype=object)), "without pickles"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(InputError, match=message):
            precomputed.read(path)


keys = [
    "image_id",
    "bbox",
    "score",
    "category_id",
    "images",
    "annotations",
    "categories",
    "id",
    "image",
    "scale",
    "name",
]
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 9), st.floats(), st.text(max_size=3), st.just([1, 2, 3, 4])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(keys), inner, max_size=4)),
    max_leaves=14,
)
record = st.fixed_dictionaries({"image_id": st.integers(-1, 9)}, optional=dict.fromkeys(keys[1:4], values))
cell = st.one_of(st.sampled_from(["0", "3.5", "nan", "", "1e999", "-2", "é", "7"]), st.text(max_size=4))
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(
    st.one_of(values, st.lists(record, max_size=4), st.fixed_dictionaries({"images": values, "annotations": values}))
)
@QUICK
def test_any_json_is_read_or_refused_in_one_line(tmp_path, value):
    (tmp_path / "a.json").write_text(json.dumps(value))
    _read_or_refuse(tmp_path / "a.json")


@given(st.lists(st.lists(cell, min_size=6, max_size=6), max_size=5))
@QUICK
def test_any_csv_is_read_or_refused_in_one_line(tmp_path, rows):
    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        csv.writer(file).writerows([["frame", "x1", "y1", "x2", "y2", "confidence"], *rows])
    _read_or_refuse(tmp_path / "a.csv")


@given(st.binary(max_size=80), st.sampled_from(["a.npz", "a.csv", "a.json"]))
@QUICK
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    _read_or_refuse(tmp_path / name)


def _read_or_refuse(path):
    try:
        boxes = precomputed.read(path)
    except InputError as error:
        message = str(error)
    else:
        message = "read"
        assert all(rows.ndim == 2 and rows.shape[1] == 5 and np.isfinite(rows).all() for rows in boxes.rows)
        assert boxes.numbers is None or len(boxes.numbers) == len(boxes.rows)
    assert len(message.splitlines()) == 1


def test_real_files_of_boxes(realdata):
    boxes = precomputed.read(realdata / "pose_testdata/tests/data/coco/test_coco.json")
    assert [len(rows) for rows in boxes.rows] == [1, 3, 5, 5]  # four pictures, in the order of their ids
    assert boxes.rows[0][0] == pytest.approx([280.79, 44.73, 499.49, 391.41, 1])
    dives = precomputed.read(realdata / "hpmcore_examples/annotations.json")
    assert dives.numbers == list(range(69))
    records = json.loads((realdata / "hpmcore_examples/annotations.json").read_text())
    for row, record in zip(dives.rows, records, strict=True):
        x1, y1, x2, y2, _ = row[0]
        inside = [x1 <= x <= x2 and y1 <= y <= y2 for x, y in record["joints"]]
        assert np.mean(inside) > 0.9  # the annotated person stands in the square
