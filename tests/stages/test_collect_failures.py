import pandas as pd
import pytest

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.stages.collect_failures import collect_failures


@pytest.fixture
def store(tmp_path):
    def write(place, videos=(), **failed):
        path = tmp_path / "results" / place
        with stores.write(path, kind=place.partition("/")[0], version=1, made_by={}) as out:
            for video_id in videos:
                out.put(video_id, {})
            for video_id, (stage, reason) in failed.items():
                out.fail(video_id, stage, reason)
        return path

    return write


EMPTY = ("extract_frames", "the file is empty")
ABSENT = ("absent", "no such video file or folder of pictures")
NOBODY = ("detect_athlete", "nobody, in no frame")


def test_failures_of_every_stage_once(store, tmp_path):
    paths = [
        store("features/dives/motion/0000.h5", "cde", a=EMPTY, b=NOBODY),  # carries what came before it
        store("frames/dives/0000.h5", "bcde", a=EMPTY),
        store("boxes/dives/embedded/0000.h5", "cde", a=EMPTY, b=NOBODY),
        store("frames/dives/0001.h5", "fghij"),
        store("keypoints/walks/given.given/0000.h5", "xy"),
    ]
    collect_failures(paths, out=tmp_path / "failures.csv", limits={"dives": 0.2, "walks": 0.0})
    table = pd.read_csv(tmp_path / "failures.csv")
    assert list(table.columns) == ["dataset", "video_id", "stage", "reason"]
    assert table.to_numpy().tolist() == [["dives", "a", *EMPTY], ["dives", "b", *NOBODY]]


def test_none_is_a_table_without_rows(store, tmp_path):
    collect_failures([store("frames/dives/0000.h5", "ab")], out=tmp_path / "failures.csv")
    assert pd.read_csv(tmp_path / "failures.csv").empty


def test_too_many_stop_the_run(store, tmp_path):
    paths = [
        store("frames/dives/0000.h5", "bcdefg", a=EMPTY),
        store("boxes/dives/x/0000.h5", "cdefg", a=EMPTY, b=NOBODY),
    ]
    message = (
        r"datasets.dives.max_failed_fraction: 2 of 7 videos were left out, expected at most 0.25 of them; "
        r"the first is 'a', extract_frames: the file is empty"
    )
    with pytest.raises(InputError, match=message):
        collect_failures(paths, out=tmp_path / "failures.csv", limits={"dives": 0.25})
    assert not (tmp_path / "failures.csv").exists()


def test_what_is_not_there_is_listed_and_not_counted(store, tmp_path):
    absent = dict.fromkeys("pqrstuv", ABSENT)
    paths = [
        store("frames/dives/0000.h5", "bcdefg", a=EMPTY, **absent),
        store("boxes/dives/x/0000.h5", "bcdefg", a=EMPTY, **absent),
    ]
    collect_failures(paths, out=tmp_path / "failures.csv", limits={"dives": 0.15})  # one of seven
    assert list(pd.read_csv(tmp_path / "failures.csv")["stage"]) == ["extract_frames"] + ["absent"] * 7
    with pytest.raises(InputError, match=r"1 of 7 videos were left out.*the first is 'a'"):  # not one of fourteen
        collect_failures(paths, out=tmp_path / "other.csv", limits={"dives": 0.14})


def test_a_data_set_of_which_nothing_is_there_stops_nothing(store, tmp_path):
    collect_failures(
        [store("frames/dives/0000.h5", a=ABSENT, b=ABSENT)], out=tmp_path / "failures.csv", limits={"dives": 0.0}
    )
    assert len(pd.read_csv(tmp_path / "failures.csv")) == 2


def test_a_path_that_tells_no_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected .../kind/dataset/"):
        collect_failures([tmp_path / "frames" / "0000.h5"], out=tmp_path / "failures.csv")
