"""Bars of contributions: where each begins, how long it is, and the table behind them."""

import base64
from urllib.parse import unquote

import pytest

from aqa_pipeline.explanation.shown import Shown
from aqa_pipeline.report import parts

SHOWN = Shown("steps", "execution", 20.0, {"take_off": 2.0, "flight": -5.0, "entry": 1.0}, 18.0, "flight")


def test_each_bar_begins_where_the_one_before_ends():
    found = parts.bars(SHOWN)
    assert [(bar.name, bar.value, bar.sum) for bar in found.bars] == [
        ("take off", 2.0, 22.0), ("flight", -5.0, 17.0), ("entry", 1.0, 18.0),
    ]  # fmt: skip
    per_unit = (100 - 2 * 100 * parts.MARGIN) / 5  # from 17 to 22
    assert [bar.width for bar in found.bars] == pytest.approx([2 * per_unit, 5 * per_unit, per_unit])
    take_off, flight, entry = found.bars
    assert flight.left == entry.left == pytest.approx(100 * parts.MARGIN)
    assert take_off.left + take_off.width == pytest.approx(flight.left + flight.width)
    assert found.unit == "of the mark"


def test_parts_without_any_weight_have_no_length():
    found = parts.bars(Shown("joints", "score", 50.0, {"legs": 0.0}, 50.0, None))
    assert [bar.width for bar in found.bars] == [0.0]
    assert found.unit == "points"


def test_the_same_is_there_as_a_table():
    address = parts.bars(SHOWN).csv
    head, _, body = address.partition(",")
    text = base64.b64decode(body).decode() if "base64" in head else unquote(body)
    assert text.splitlines() == [
        "part,contribution,sum", "baseline,,20.0", "take off,2.0,22.0", "flight,-5.0,17.0", "entry,1.0,18.0",
    ]  # fmt: skip
