"""What is said of one's own videos, and what is said of mistakes in it."""

import pytest

from aqa_pipeline.errors import InputError
from aqa_pipeline.judging import labels


def read(tmp_path, text):
    (tmp_path / "labels.csv").write_text(text)
    (tmp_path / "a.mp4").touch()
    (tmp_path / "b.mp4").touch()
    of_all = labels.Label("107b", 3.0)
    return labels.of_videos([tmp_path / "a.mp4", tmp_path / "b.mp4"], of_all, tmp_path / "labels.csv")


def test_labels_of_single_videos_stand_before_those_of_all(tmp_path):
    found = read(tmp_path, "name,difficulty,action_type\nb, 2.5 ,\n")
    assert found == {"a": labels.Label("107b", 3.0), "b": labels.Label("107b", 2.5)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,dificulty\na,3\n", "unknown column 'dificulty', did you mean 'difficulty'"),
        ("difficulty\n3\n", "no column 'name', expected name, action_type, difficulty"),
        ("name,difficulty\nc,3\n", "no video is named 'c'"),
        ("name,difficulty\na,three\n", "difficulty of 'a' is 'three', expected a number"),
        ("name,difficulty\na,-1\n", "difficulty: found -1.0, expected a number above 0"),
    ],
)
def test_labels_that_fit_nothing_say_so(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        read(tmp_path, text)


def test_videos_must_be_there_and_bear_names_of_their_own(tmp_path):
    with pytest.raises(InputError, match=r"c.mp4: no such video file or folder of pictures"):
        labels.of_videos([tmp_path / "c.mp4"], labels.Label(), None)
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.mp4").touch()
    with pytest.raises(InputError, match="2 videos are named 'a', expected names of their own"):
        labels.of_videos([tmp_path / "x/a.mp4", tmp_path / "y/a.mp4"], labels.Label(), None)
