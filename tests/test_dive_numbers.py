import pytest

from aqa_pipeline.dive_numbers import DiveNumber, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("107b", DiveNumber(1, 1, 7, 0, "b")),
        ("5253B", DiveNumber(5, 2, 5, 3, "b")),
        (" 6243d ", DiveNumber(6, 2, 4, 3, "d")),
        ("626c", DiveNumber(6, 2, 6, 0, "c")),
        ("412a", DiveNumber(4, 4, 2, 0, "a")),
    ],
)
def test_dive_numbers_are_read(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["", "squat", "107", "707b", "107e", "53b", "52537b", None, 107, float("nan")])
def test_other_action_types_are_none(text):
    assert parse(text) is None
