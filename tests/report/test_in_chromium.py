"""The page in a real headless Chromium, at the width of a phone and of a desk."""

import pytest
from browser import browser, program

from aqa_pipeline.stages.report import report

pytestmark = pytest.mark.skipif(program() is None, reason="no Chromium here: apt-get install chromium")

WIDTHS = [390, 1280]
OUTSIDE = ("http:", "https:", "ws:", "wss:", "ftp:")


@pytest.fixture(scope="module")
def page(finished, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "report.html"
    report(finished, out, worst=2)
    return out


@pytest.fixture(scope="module")
def chromium():
    with browser() as one:
        yield one


@pytest.fixture(params=WIDTHS)
def opened(request, chromium, page):
    chromium.open(page, width=request.param)
    return chromium


def test_nothing_is_wrong_and_nothing_is_asked_of_a_network(opened):
    opened.wait("[...document.images].every((one) => one.complete)")
    assert opened.of("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []
    asked = [event["request"]["url"] for event in opened.of("Network.requestWillBeSent")]
    assert len(asked) >= 1  # the page itself
    assert [url for url in asked if url.startswith(OUTSIDE)] == []


def test_pictures_are_there(opened):
    opened.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    sizes = opened.evaluate(
        "[...document.images].map((one) => [one.naturalWidth, one.getBoundingClientRect().width, one.alt.length])"
    )
    assert len(sizes) >= 4
    assert all(min(size) > 0 for size in sizes)
    drawn = opened.evaluate(
        "[...document.querySelectorAll('svg[role=img]')].map((one) => {const r = one.getBoundingClientRect();"
        " return [r.width, r.height]})"
    )
    assert len(drawn) > 10
    assert all(width > 60 and height > 10 for width, height in drawn)


def test_dots_lie_where_their_values_are(opened):
    """Of the first plot: the places of the dots on the screen are a straight line of the values beside them."""
    found = opened.evaluate(
        "[...document.querySelectorAll('.hero tbody tr')].map((row) => {const dot = row.querySelector('.dot');"
        " if (!dot) return null; const r = dot.getBoundingClientRect();"
        " return [Number(row.querySelector('td.figure').dataset.sort), r.x + r.width / 2]}).filter(Boolean)"
    )
    (low, left), *_, (high, right) = sorted(found)
    assert right - left > 60
    for value, place in found:
        assert place == pytest.approx(left + (right - left) * (value - low) / (high - low), abs=1.0)


def test_films_are_films(opened):
    opened.evaluate("document.querySelector('.film').open = true")
    opened.wait("document.querySelector('.film img').complete")
    assert opened.evaluate("document.querySelector('.film img').naturalWidth") == 96
    frames = opened.evaluate(
        "(async () => {const text = atob(document.querySelector('.film img').src.split(',')[1]);"
        " const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));"
        " const film = new ImageDecoder({data: bytes, type: 'image/avif'}); await film.tracks.ready;"
        " return film.tracks.selectedTrack.frameCount})()"
    )
    assert frames == 12


def test_no_width_is_too_narrow(opened):
    opened.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert opened.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_tables_sort_by_what_is_tapped(opened):
    table = "document.querySelector('.hero table')"
    column = f"[...{table}.tBodies[0].rows].map((row) => row.cells[2].dataset.sort)"
    opened.evaluate(f"{table}.tHead.rows[0].cells[2].querySelector('button').click()")
    up = [float(value) for value in opened.evaluate(column) if value]
    assert up == sorted(up)
    assert opened.evaluate(f"{table}.tHead.rows[0].cells[2].getAttribute('aria-sort')") == "ascending"
    opened.evaluate(f"{table}.tHead.rows[0].cells[2].querySelector('button').click()")
    down = opened.evaluate(column)
    known = [float(value) for value in down if value]
    assert known == sorted(known, reverse=True)
    assert down[-1] == ""  # without a value: last either way
    opened.evaluate(f"{table}.tHead.rows[0].cells[0].querySelector('button').click()")
    names = opened.evaluate(f"[...{table}.tBodies[0].rows].map((row) => row.cells[0].dataset.sort)")
    assert names == sorted(names)


def test_the_answer_stands_on_the_first_screen(chromium, page):
    """Of a phone: what was measured and which row is best are seen without moving anything."""
    chromium.open(page, width=390, height=844)
    assert chromium.evaluate("document.querySelector('.card.best .big').getBoundingClientRect().bottom") < 844


def test_paper_is_wide_enough(chromium, page):
    chromium.call("Emulation.setEmulatedMedia", media="print")
    chromium.open(page, width=718)  # A4 between margins of 1 cm
    chromium.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    sizes = chromium.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    chromium.call("Emulation.setEmulatedMedia", media="")
    assert sizes[0] <= sizes[1]


def test_it_prints_with_everything_unfolded(chromium, page):
    chromium.open(page, width=1280)
    printed = chromium.call("Page.printToPDF", printBackground=True)
    assert len(printed["data"]) > 10_000
    assert chromium.evaluate("[...document.querySelectorAll('details')].every((one) => one.open)")
