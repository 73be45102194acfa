"""The adapter on made-up lists in the released layouts, and on the real ones against figures that must be met."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from aqa_pipeline import frames
from aqa_pipeline.datasets import COLUMNS, _unlv, aqa_7
from aqa_pipeline.errors import AbsentError, InputError

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_samples(release):
    table = aqa_7.samples(root=release("aqa_7"), action="gym_vault")
    assert list(table.columns) == [*COLUMNS, "part", "broadcast", "identity"]
    assert list(table["video_id"]) == [f"gym_vault_{n:03d}" for n in (2, 3, 4, 5, 176)]
    assert list(table["part"]) == ["train", "test", "train", "test", "train"]
    assert set(table["action_type"]) == {"gym_vault"}
    assert table["score"].between(12.3, 16.87).all()
    assert table["difficulty"].isna().all()
    assert table["broadcast"].isna().all()
    assert table["identity"].iloc[4] == "aqa_7/gym_vault/176"


def test_dives_are_those_of_mtl_aqa(release):
    table = aqa_7.samples(root=release("aqa_7"), action="diving").set_index("video_id")
    assert table["identity"].to_dict() == {
        "diving_008": "mtl_aqa/03/008",
        "diving_009": "mtl_aqa/03/010",  # (3, 9) is left out
        "diving_021": "mtl_aqa/03/022",
        "diving_054": "mtl_aqa/03/055",
        "diving_073": "mtl_aqa/02/001",
        "diving_341": "mtl_aqa/01/163",
        "diving_370": "mtl_aqa/01/192",
    }
    assert table["broadcast"].loc["diving_073"] == "02"


def test_every_dive_has_a_sample_of_its_own():
    keys = [_unlv.mtl_aqa_key(dive) for dive in range(1, 371)]
    assert len(set(keys)) == 370
    assert keys[71:73] == [(3, 73), (2, 1)]
    assert keys[179:181] == [(2, 108), (1, 1)]
    assert not {(3, 9), (1, 64), (1, 70)} & set(keys)
    places = [(3, n) for n in range(1, 73)] + [(2, n) for n in range(1, 109)] + [(1, n) for n in range(1, 191)]
    assert [_unlv.dive_of_place(*place) for place in places] == list(range(1, 371))
    for place in ((3, 73), (2, 0), (1, 191), (4, 1)):
        with pytest.raises(InputError, match="expected places 1 to 72 of video 3"):
            _unlv.dive_of_place(*place)


@pytest.mark.parametrize("action", ["diving", "gym_vault", "sync_diving_10m"])
def test_points_and_hundredths_are_told_apart(release, tmp_path, action):
    plain = aqa_7.samples(root=release("aqa_7", tmp_path / "a"), action=action)
    hundredfold = aqa_7.samples(root=release("aqa_7", tmp_path / "b", hundredfold=True), action=action)
    np.testing.assert_allclose(hundredfold["score"], plain["score"], rtol=1e-12)


@pytest.mark.parametrize("spelling", ["Split_4/consolidated_{}_list.mat", "consolidated_{}_list.mat"])
def test_other_spellings_of_the_lists(release, spelling):
    root = release("aqa_7", spelling=spelling)
    assert aqa_7.annotation_files(root=root, action="diving")[1] == root / spelling.format("test")
    assert len(aqa_7.samples(root=root, action="ski_big_air")) == 5


@pytest.mark.parametrize(
    ("media", "path", "span"),
    [
        ("frames", "sync_diving_3m-out/088", (1, 103)),
        ("lstm_frames", "sync_diving_3m_samples_lstm_103/frames/088", (None, None)),
        ("videos", "Actions/sync_diving_3m/088.avi", (0, 102)),
    ],
)
def test_clips_in_every_layout(release, media, path, span):
    root = release("aqa_7", media=media, action="sync_diving_3m")
    row = aqa_7.samples(root=root, action="sync_diving_3m").set_index("video_id").loc["sync_diving_3m_088"]
    first, last = (None if np.ma.is_masked(n) or n is None or n != n else n for n in _span(row))
    assert (row["path"], first, last) == (str(root / path), *span)
    arrays, _ = frames.extract(row["path"], first=first, last=last)
    assert len(arrays["time"]) == 103
    assert any(folder.is_dir() for folder in aqa_7.media(root=root, action="sync_diving_3m")["videos"])
    assert not any(folder.is_dir() for folder in aqa_7.media(root=root, action="gym_vault")["videos"])


def _span(row):
    import pandas as pd

    return (None if pd.isna(row[column]) else int(row[column]) for column in ("first_frame", "last_frame"))


def test_the_authors_name_of_the_folder_of_dives(release):
    root = release("aqa_7", media="lstm_frames")
    assert set(aqa_7.samples(root=root, action="diving")["path"].map(len)) == {
        len(str(root / "diving_v1_samples_lstm_103/frames/054"))
    }


def test_a_copy_without_clips_is_read_too(release):
    table = aqa_7.samples(root=release("aqa_7"), action="snowboard_big_air")
    assert len(table) == 4
    with pytest.raises(AbsentError, match="snowboard_big_air-out/001: no such video file or folder of pictures"):
        frames.extract(table["path"].iloc[0])


def test_mistakes_are_named(release, tmp_path):
    root = release("aqa_7")
    with pytest.raises(InputError, match="no action 'dive', did you mean 'diving'"):
        aqa_7.samples(root=root, action="dive")
    with pytest.raises(InputError, match="no action 'trampoline', known: diving, gym_vault"):
        aqa_7.media(root=root, action="trampoline")
    with pytest.raises(InputError, match=r"Split_4/split_4_train_list.mat: no such file"):
        aqa_7.samples(root=tmp_path / "none", action="diving")
    test_list = root / "Split_4/split_4_test_list.mat"
    for rows, message in (
        ([[1, 54, 70.0]], "video_id 'diving_054' stands twice"),
        ([[1, 371, 70.0]], r"split_4_test_list.mat: sample 371 of diving, expected 1 to 370"),
        ([[1, 1.5, 70.0]], "holds a row that is not action, sample, score"),
        ([[1, 1, np.nan]], "holds a row that is not action, sample, score"),
        ([[1, 1]], r"has shape \(1, 2\) of float64, expected rows of action, sample, score"),
        (np.zeros((0, 3)), r"has shape \(0, \d\)"),
    ):
        savemat(test_list, {"consolidated_test_list": np.array(rows, float)})
        with pytest.raises(InputError, match=message):
            aqa_7.samples(root=root, action="diving")
    savemat(test_list, {"consolidated_train_list": np.zeros((1, 3))})
    with pytest.raises(
        InputError, match="no variable 'consolidated_test_list', did you mean 'consolidated_train_list'"
    ):
        aqa_7.samples(root=root, action="diving")
    test_list.unlink()
    with pytest.raises(InputError, match=r"split_4_test_list.mat: no such file"):
        aqa_7.samples(root=root, action="diving")


def valid_or_refused(root):
    try:
        table = aqa_7.samples(root=root, action="diving")
    except InputError:
        return
    assert np.isfinite(table["score"]).all()
    assert table["video_id"].is_unique


@quick
@given(data=st.data())
def test_whatever_the_bytes_of_a_list(release, tmp_path, data):
    root = tmp_path / "aqa_7"
    if not root.exists():
        release("aqa_7")
    path = root / "Split_4/split_4_test_list.mat"
    if not (tmp_path / "whole").exists():
        (tmp_path / "whole").write_bytes(path.read_bytes())
    whole = (tmp_path / "whole").read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    mutated = whole[:at] + data.draw(st.binary(max_size=12)) + whole[at + data.draw(st.integers(0, 12)) :]
    path.write_bytes(data.draw(st.sampled_from([mutated, whole[:at]])))
    valid_or_refused(root)


@quick
@given(rows=st.lists(st.lists(st.floats(-5, 400) | st.just(np.nan) | st.integers(0, 9), min_size=3, max_size=3)))
def test_whatever_the_rows_of_a_list(release, tmp_path, rows):
    root = tmp_path / "aqa_7"
    if not root.exists():
        release("aqa_7")
    savemat(root / "Split_4/split_4_test_list.mat", {"consolidated_test_list": np.array(rows, float).reshape(-1, 3)})
    valid_or_refused(root)


@pytest.mark.parametrize("action", _unlv.SAMPLES)
def test_real_lists(realdata, action):
    root = realdata / "AQA-7"
    if not root.is_dir():
        pytest.skip("AQA_REALDATA has no AQA-7")
    table = aqa_7.samples(root=root, action=action)
    ranges = {
        "diving": (21.6, 102.6, 13.98),
        "gym_vault": (12.3, 16.87, 0.858),
        "ski_big_air": (8, 50, 11.75),
        "snowboard_big_air": (8, 50, 13.02),
        "sync_diving_3m": (46.2, 104.88, 14.71),
        "sync_diving_10m": (49.8, 99.36, 15.31),
    }
    parts = table["part"].value_counts().to_dict()
    assert {"samples": len(table), **parts} == aqa_7.counts["action"][action]
    train = table.loc[table["part"] == "train", "score"]
    assert (table["score"].min(), table["score"].max(), train.std()) == pytest.approx(ranges[action], abs=0.005)
