"""What may be shown is shown with what may be blamed, and the rest with the reason."""

import numpy as np
import pytest

from aqa_pipeline.explanation import shapley, tested
from aqa_pipeline.explanation.contributions import Contributions
from aqa_pipeline.explanation.shown import may_be_shown, shown

LINES = """row,kind,of,name,n,rate,low,high,chance,control,lead_low,passed
good.one,constant_steps,fault,loose,24,0.9,0.8,1.0,0.33,0.3,0.4,True
good.one,constant_steps,part,entry,30,0.8,0.7,0.9,0.1,0.1,0.5,True
good.one,constant_steps,part,flight,30,0.4,0.2,0.5,0.4,0.4,-0.2,False
good.one,joints,fault,arms,24,0.3,0.1,0.5,0.25,0.3,-0.2,False
"""


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch):
    (tmp_path / "tested.csv").write_text(LINES)
    monkeypatch.setattr(tested, "TESTED", tmp_path / "tested.csv")
    tested.lines.cache_clear()
    yield
    tested.lines.cache_clear()


def contributions(*values):
    worth = 20 + shapley.coalitions(3) @ np.array(values)
    return Contributions("v", "execution", ("take_off", "flight", "entry"), np.array(values), 20.0, ("a", "b"), worth)


def test_a_kind_that_found_nothing_is_withheld():
    kinds, withheld = may_be_shown("good.one", ["constant_steps", "joints"])
    assert kinds == ["constant_steps"]
    assert len(withheld) == 1
    assert "contributions of joints, good.one: found no fault" in withheld[0]
    assert may_be_shown("other.one", ["joints"])[0] == []


def test_blame_that_holds_is_said_and_other_blame_is_not():
    entry = shown(contributions(1.0, 0.5, -3.0), "good.one", "constant_steps")
    assert (entry.kind, entry.blamed, entry.withheld) == ("steps", "entry", "")
    assert entry.parts == {"take_off": 1.0, "flight": 0.5, "entry": -3.0}
    assert (entry.baseline, entry.prediction, entry.background) == (20.0, 18.5, ("a", "b"))
    flight = shown(contributions(1.0, -3.0, 0.5), "good.one", "constant_steps")
    assert flight.blamed is None
    assert "blame of flight, good.one: not shown" in flight.withheld
    nothing = shown(contributions(1.0, 3.0, 0.5), "good.one", "constant_steps")
    assert (nothing.blamed, nothing.withheld) == (None, "")
