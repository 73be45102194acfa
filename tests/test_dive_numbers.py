import pytest
from hypothesis import given
from hypothesis import strategies as st

from aqa_pipeline.dive_numbers import DiveNumber, parse, write
from aqa_pipeline.errors import InputError


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


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (dict(direction=4, half_somersaults=7, half_twists=0, position="c"), "407c"),
        (dict(direction=2, half_somersaults=5, half_twists=3, position="b"), "5253b"),
        (dict(direction=2, half_somersaults=4, half_twists=3, position="d", armstand=True), "6243d"),
        (dict(direction=3, half_somersaults=6, half_twists=0, position="c", armstand=True), "636c"),
        (dict(direction=1, half_somersaults=0, half_twists=0, position="b"), "100b"),
    ],
)
def test_dive_numbers_are_written(parts, expected):
    assert write(**parts) == expected


@given(st.integers(1, 4), st.integers(0, 9), st.integers(0, 9), st.sampled_from("abcd"), st.booleans())
def test_what_is_written_is_read(direction, half_somersaults, half_twists, position, armstand):
    parts = dict(
        direction=direction,
        half_somersaults=half_somersaults,
        half_twists=half_twists,
        position=position,
        armstand=armstand,
    )
    group = 6 if armstand else 5 if half_twists else direction
    assert parse(write(**parts)) == DiveNumber(group, direction, half_somersaults, half_twists, position)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (dict(direction=5), "direction is 5, expected 1 to 4"),
        (dict(half_somersaults=10), "half_somersaults is 10, expected 0 to 9"),
        (dict(half_twists=-1), "half_twists is -1, expected 0 to 9"),
        (dict(position="bc"), "position is 'bc', expected a, b, c or d"),
    ],
)
def test_what_no_dive_number_can_hold_is_named(wrong, expected):
    parts = dict(direction=1, half_somersaults=3, half_twists=0, position="b") | wrong
    with pytest.raises(InputError, match=expected):
        write(**parts)
