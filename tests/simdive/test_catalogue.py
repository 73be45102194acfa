import numpy as np
import pytest

from aqa_pipeline.errors import InputError
from aqa_pipeline.simdive import catalogue


@pytest.mark.parametrize(
    ("number", "group", "direction", "half_somersaults", "half_twists", "position"),
    [
        ("107b", 1, 1, 7, 0, "pike"),
        ("205c", 2, 2, 5, 0, "tuck"),
        ("5253b", 5, 2, 5, 3, "pike"),
        ("5337d", 5, 3, 3, 7, "free"),
        ("626c", 6, 2, 6, 0, "tuck"),
        ("6243d", 6, 2, 4, 3, "free"),
    ],
)
def test_digits_are_read(number, group, direction, half_somersaults, half_twists, position):
    dive = catalogue.get(number)
    found = (dive.group, dive.direction, dive.half_somersaults, dive.half_twists, dive.position)
    assert found == (group, direction, half_somersaults, half_twists, position)
    assert dive.armstand == (group == 6)


def test_numbers_are_many_real_and_on_both_boards():
    dives = catalogue.DIVES
    assert len(dives) >= 24
    assert {(d.board, d.height_m) for d in dives.values()} == {("platform", 10.0), ("springboard", 3.0)}
    assert {number: dives[number].difficulty for number in ("101b", "107b", "109c", "5255b")} == {
        "101b": 1.5, "107b": 3.0, "109c": 3.7, "5255b": 3.6,
    }  # fmt: skip
    assert {d.group for d in dives.values()} == {1, 2, 3, 4, 5, 6}
    assert all(d.half_somersaults % 2 == (0 if d.armstand else 1) for d in dives.values())  # all enter hands first


def test_draws_follow_the_weights():
    rng = np.random.default_rng(3)
    drawn = [catalogue.draw(rng).number for _ in range(4000)]
    total = sum(d.weight for d in catalogue.DIVES.values())
    for number in ("407c", "5337d"):
        expected = 4000 * catalogue.DIVES[number].weight / total
        assert abs(drawn.count(number) - expected) < 4 * np.sqrt(expected)
    counts = [drawn[:400].count(number) for number in catalogue.DIVES]
    assert np.mean(np.array(counts) >= 5) > 0.75


def test_unknown_number_names_the_nearest():
    with pytest.raises(InputError, match=r"'107f'.*did you mean '107b'"):
        catalogue.get("107f")
