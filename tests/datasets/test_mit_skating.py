"""The adapter on made-up broadcasts, and its reader line by line."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline import frames
from aqa_pipeline.datasets import COLUMNS, mit_skating
from aqa_pipeline.errors import AbsentError, InputError

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HEADER = "one A\ntwo A Score\nthree\n"  # means nothing


@pytest.fixture
def read(tmp_path):
    def one(text: str | bytes):
        path = tmp_path / "video.txt"
        path.write_bytes(text if isinstance(text, bytes) else (HEADER + text).encode())
        return mit_skating.read_annotation(path)

    return one


def test_samples(release):
    root = release("mit_skating", media=True)
    table = mit_skating.samples(root=root)
    assert list(table.columns) == [*COLUMNS, "broadcast"]
    ladies, men = "Free_-_Ladies_2010__aBc-1", "Short_-_Men_2012__x_Yz"
    assert list(table["video_id"]) == [f"{ladies}_01", f"{ladies}_02", f"{ladies}_03", f"{men}_01", f"{men}_02"]
    assert list(table["broadcast"]) == [ladies] * 3 + [men] * 2
    assert set(table["fps"]) == {25.0}
    for row in table.itertuples():
        arrays, facts = frames.extract(row.path, first=row.first_frame, last=row.last_frame, fps=row.fps)
        assert len(arrays["time"]) == row.last_frame - row.first_frame + 1
        assert facts["fps"] == 25.0


def test_a_copy_without_frames_is_read_too(release):
    table = mit_skating.samples(root=release("mit_skating"))
    assert len(table) == 5
    with pytest.raises(AbsentError):
        frames.extract(table["path"].iloc[0], first=1, last=9)


def test_programmes_of_a_file(read):
    first = "100 220 A\n230 Score 71.25 38.1 33.15\n\n# 1 2 A\n"
    second = "300\t450 A extra\n460 A_replay\n470 Score 60, 30, 30\n500 B\n"
    assert read(first + second) == [(100, 220, 71.25), (300, 450, 60.0)]
    assert read("") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("100 A\n101 Score 5", r"video.txt: line 4: found '100' before A, expected first and last frame from 1"),
        ("9 8 A\n10 Score 5", r"line 4: found '9 8' before A"),
        ("0 8 A\n10 Score 5", r"line 4: found '0 8' before A"),
        ("1 2 3 A\n10 Score 5", r"line 4: found '1 2 3' before A"),
        ("\n1.5 8 A\n10 Score 5", r"line 5: found '1.5 8' before A"),
        ("1 8 A\n\n\n10 Score 5", r"line 4: no Score in the next two lines"),
        ("1 8 A", r"line 4: no Score in the next two lines"),
        ("1 8 A\n9 Score_2 5", r"line 4: no Score in the next two lines"),
        ("1 8 A\n9 Score", r"line 5: found '' after Score, expected a number"),
        ("1 8 A\n9 Score high", r"line 5: found 'high' after Score"),
        ("1 8 A\n9 Score 1e999", r"line 5: found '1e999' after Score"),
        ("1 8 A\n9 Score nan", r"line 5: found 'nan' after Score"),
    ],
)
def test_mistakes_are_named(read, text, message):
    with pytest.raises(InputError, match=message):
        read(text)


def test_files_that_are_no_text_or_not_there_are_named(read, release, tmp_path):
    with pytest.raises(InputError, match=r"video.txt: byte 3 is no UTF-8"):
        read(b"abc\xff")
    with pytest.raises(InputError, match=r"figure_skating/annotations: no such file"):
        mit_skating.samples(root=tmp_path)
    root = release("mit_skating")
    for path in mit_skating.annotation_files(root=root):
        path.write_text(HEADER)
    with pytest.raises(InputError, match="holds no sample"):
        mit_skating.samples(root=root)


WORDS = st.sampled_from(
    ["A", "A_", "Score", "Score_", "#", "12", "7", "8.5", "-3", "nan", "99999999999", "\n", " ", "\t"]
)


@quick
@given(text=st.lists(WORDS, max_size=25).map(" ".join) | st.binary(max_size=60))
def test_whatever_the_text(read, text):
    try:
        programmes = read(text)
    except InputError:
        return
    assert all(1 <= first <= last and 0 <= score < 10_000 for first, last, score in programmes)


@quick
@given(data=st.data())
def test_whatever_becomes_of_a_valid_file(release, tmp_path, data):
    root = tmp_path / "mit_skating"
    root.exists() or release("mit_skating")
    path = mit_skating.annotation_files(root=root)[0]
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:at] + data.draw(st.binary(max_size=12)) + whole[at + data.draw(st.integers(0, 12)) :])
    try:
        table = mit_skating.samples(root=root)
    except InputError:
        return
    finally:
        path.write_bytes(whole)
    assert (table["first_frame"] <= table["last_frame"]).all()
