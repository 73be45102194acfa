"""What has not passed its test is not shown."""

import numpy as np
import pytest

from aqa_pipeline.errors import InputError
from aqa_pipeline.explanation import tested
from aqa_pipeline.explanation.body_parts import GROUPS
from aqa_pipeline.explanation.contributions import Contributions
from aqa_pipeline.explanation.steps import STEPS
from aqa_pipeline.simdive.faults import NAMES

LINES = """row,kind,of,name,n,rate,low,high,chance,control,lead_low,passed
good.one,steps,fault,lean,24,0.9,0.8,1.0,0.33,0.3,0.4,True
good.one,steps,fault,arch,24,0.4,0.2,0.6,0.33,0.3,-0.1,False
good.one,steps,part,take_off,30,0.8,0.7,0.9,0.1,0.1,0.5,True
good.one,steps,part,flight,30,0.4,0.2,0.5,0.4,0.4,-0.2,False
good.one,joints,fault,arms,24,0.9,0.8,1.0,0.25,0.3,0.4,True
good.one,steps,deletion,pieces,80,2.1,1.8,2.4,1.1,1.0,0.9,True
bad.one,steps,fault,lean,24,0.3,0.1,0.5,0.33,0.3,-0.2,False
inert.one,steps,fault,lean,24,0.9,0.8,1.0,0.33,0.3,0.4,True
inert.one,steps,deletion,pieces,80,1.1,0.8,1.4,1.1,1.0,-0.1,False
inert.one,joints,fault,arms,24,0.9,0.8,1.0,0.25,0.3,0.4,True
"""


SHIPPED = tested.TESTED


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch):
    path = tmp_path / "tested.csv"
    path.write_text(LINES)
    monkeypatch.setattr(tested, "TESTED", path)
    tested.lines.cache_clear()
    yield
    tested.lines.cache_clear()


def contributions(*values):
    zeros = np.zeros(8)
    return Contributions("v", "execution", STEPS, np.array(values), 20.0, ("b",), zeros)


def test_faults_that_were_found():
    assert tested.faults_found("good.one", "steps") == ["lean"]
    assert tested.faults_found("bad.one", "steps") == []
    tested.expect_shown("good.one", "steps")


def test_a_row_that_found_nothing_is_refused():
    with pytest.raises(InputError, match=r"bad\.one: found no fault .* \(the best, lean: 0\.30 of 24"):
        tested.expect_shown("bad.one", "steps")


def test_blame_that_does_not_move_the_mark_is_refused():
    with pytest.raises(InputError, match=r"inert\.one: not shown, .* \(\+1\.10; at random \+1\.10"):
        tested.expect_shown("inert.one", "steps")
    tested.expect_shown("inert.one", "joints")  # of which no frames are blamed


def test_what_was_never_tested_is_refused():
    with pytest.raises(
        InputError, match=r"core\.frozen: never tested, so none are shown; tested: bad\.one, good\.one, inert\.one"
    ):
        tested.expect_shown("core.frozen", "steps")
    with pytest.raises(InputError, match="kind: found 'step', expected one of steps"):
        tested.expect_shown("good.one", "step")


def test_blame_has_to_have_been_right():
    assert tested.blamed(contributions(-3.0, 1.0, 0.5), "good.one", "steps") == "take_off"
    assert tested.blamed(contributions(1.0, 3.0, 0.5), "good.one", "steps") is None
    with pytest.raises(InputError, match=r"blame of flight, good\.one: not shown, .* chance 0\.40, control 0\.40"):
        tested.blamed(contributions(1.0, -3.0, 0.5), "good.one", "steps")
    with pytest.raises(InputError, match=r"blame of entry, good\.one: never tested"):
        tested.blamed(contributions(1.0, 3.0, -0.5), "good.one", "steps")


def test_every_fault_shows_in_a_part_that_there_is():
    for kind, parts in (("steps", STEPS), ("constant_steps", STEPS), ("joints", GROUPS)):
        assert set(tested.PARTS_OF[kind]) <= set(NAMES)
        assert {part for right in tested.PARTS_OF[kind].values() for part in right} <= set(parts)


def test_the_table_that_ships_can_be_read(monkeypatch):
    monkeypatch.setattr(tested, "TESTED", SHIPPED)
    for line in tested.lines():
        assert line.kind in tested.KINDS
        assert line.of in ("fault", "part", "deletion")
        assert not line.passed or line.lead_low > 0
