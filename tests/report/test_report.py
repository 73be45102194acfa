"""What the page says, of a small run that the stages made."""

import base64
import html
import io
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import cli
from aqa_pipeline.errors import InputError
from aqa_pipeline.report import dives, dots, making, stills, verdict, words
from aqa_pipeline.report.reading import Results, higher_is_better
from aqa_pipeline.stages.report import report

WORST, SPOILT = "v07", "v03"


@pytest.fixture(scope="module")
def text(finished, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "report.html"
    report(finished, out, worst=2, configuration={"seed": 7})
    return out.read_text()


class Elements(HTMLParser):
    """Tags with their attributes, in order."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def of(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def plain(text):
    """The words of some HTML, parted by single blanks."""
    without_style = re.sub(r"<wbr>|<style.*?</style>|<script.*?</script>", "", text, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", without_style)).split())


def test_the_first_screen_says_what_which_and_whether(text, finished):
    first = plain(text[: text.index('class="hero"')])
    assert "2 ways to score 39 videos" in first  # floor and ceiling are none of them
    value = (
        Results(finished)
        .tables.query("row == 'feature_forest.motion_17' and dataset == 'dives' and metric == 'spearman_rho'")["value"]
        .iloc[0]
    )
    assert f"{value:.3f}" in first
    assert "Above the floor: yes" in first


def test_the_best_row_and_its_pairs(finished):
    results = Results(finished)
    found = verdict.of_table(results, "main")
    rho = results.tables.query("metric == 'spearman_rho' and dataset == 'dives'").set_index("row")["value"]
    others = {"feature_forest.motion_17", "pose_guided.coco"}
    assert found.best == rho[list(others)].idxmax()
    assert [pair.other for pair in found.rivals] == sorted(others - {found.best})
    assert found.floor.gain == pytest.approx(rho[found.best] - rho["no_video.default"], abs=2e-4)
    assert found.floor.low <= found.floor.gain <= found.floor.high
    assert found.floor.is_sure
    assert found.ceiling == ("judge_ceiling.default", pytest.approx(rho["judge_ceiling.default"]))


def test_a_pair_is_the_other_way_round_from_the_other_side(finished):
    look = verdict.Pairs(Results(finished), "main", "dives", "med")
    one, other = look.of("no_video.default", "pose_guided.coco"), look.of("pose_guided.coco", "no_video.default")
    assert one.gain == -other.gain < 0 < other.gain  # of an error, less is better
    assert (one.low, one.high) == (-other.high, -other.low)
    assert one.p == other.p


def test_every_picture_has_words_for_it(text):
    elements = Elements(text)
    assert all(image["alt"] for image in elements.of("img"))
    named = [svg for svg in elements.of("svg") if svg.get("role") == "img"]
    assert len(named) > 10
    assert all(svg["aria-label"] for svg in named)


def test_it_needs_nothing_from_outside(text):
    addresses = [a[k] for _, a in Elements(text).found for k in ("src", "href") if k in a]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    anchors = {a["id"] for _, a in Elements(text).found if "id" in a}
    assert {address[1:] for address in addresses if address.startswith("#")} <= anchors
    assert not re.search(r"@import|url\(", text)


def test_the_data_of_every_figure_is_one_click_away(text, finished):
    links = {a["download"]: a["href"] for a in Elements(text).of("a") if "download" in a}
    data = base64.b64decode(links["main.dives.spearman_rho.csv"].partition(",")[2]).decode()
    table = pd.read_csv(io.StringIO(data))
    assert set(table["system"]) == {"no_video", "feature_forest", "pose_guided", "judge_ceiling", "core"}
    assert {"value", "ci_low", "ci_high", "gap_closed", "p"} <= set(table.columns)
    assert {"main.scatter.csv", "main.dives.med.pairs.csv", "failures.csv", f"{WORST}.votes.csv"} <= links.keys()
    assert len(re.findall("<figcaption>", text)) <= len(links)


def test_published_figures_stand_beside_ours_with_their_status(text):
    part = plain(text[text.index('id="published"') : text.index('id="quality"')])
    assert f"core.default dives Spearman's rho 0.950 {words.DASH} not run Another <paper>, Table 2" in part
    assert f"core.default dives Twist accuracy 81.2 {words.DASH} not run" in part  # a metric that is not ours
    assert f"pose_guided.coco elsewhere Spearman's rho 0.880 {words.DASH} data absent" in part
    assert re.search(r"pose_guided.coco dives Spearman's rho 0.910 0\.\d{3} 0\.\d{3} to [01]\.\d{3} ok", part)


def test_what_failed_and_why(text):
    part = plain(text[text.index('id="missing"') : text.index('id="making"')])
    assert f"{SPOILT} dives extract_frames" in part
    assert "empty" in part
    assert "pose_guided.coco elsewhere data absent" in part
    assert words.STATUS["data_absent"] in part


def videos_of(results):
    return dives.Videos(results, verdict.of_table(results, "main"), "dives")


def test_the_worst_error_comes_first(finished):
    results = Results(finished)
    sections = dives.sections(videos_of(results), dives.Choice(worst=2), budget=stills.Budget(10**7))
    assert [s.place for s in sections] == ["1 of 39", "2 of 39", "20 of 39, the median", "39 of 39, the best"]
    first = sections[0]
    assert first.video_id == WORST
    difficulty = results.samples("dives").loc[WORST, "difficulty"]
    assert first.error == pytest.approx(9 * difficulty, abs=3 * difficulty)
    assert [abs(s.error) for s in sections] == sorted((abs(s.error) for s in sections), reverse=True)
    assert {line.name: line.kind for line in first.lines}["feature_forest.motion_17"] == "best"
    assert [phase.name for phase in first.phases] == ["take off", "entry"]
    assert sum(phase.length for phase in first.phases) == pytest.approx(100)


def test_votes_say_what_each_moves(finished):
    results = Results(finished)
    section = dives.sections(videos_of(results), dives.Choice(1, 0, 0), budget=stills.Budget(0))[0]
    assert section.voter == "pose_guided.coco"
    assert [vote.video_id for vote in section.votes] == ["v00", "v01", "v02"]
    assert [vote.moved for vote in section.votes] == pytest.approx([-1, 1 / 3, 2 / 3])
    assert section.votes[1].own_score == results.samples("dives").loc["v01", "score"]


def test_pictures_stop_where_the_budget_does(finished):
    videos = videos_of(Results(finished))
    sections = dives.sections(videos, dives.Choice(3), budget=stills.Budget(0))
    assert not any(section.pictures.stills or section.pictures.film for section in sections)
    assert all(section.pictures.why_not for section in sections)
    sections = dives.sections(videos, dives.Choice(3, films=False), budget=stills.Budget(10**7))
    addresses = [still.address for section in sections for still in section.pictures.stills]
    assert len(addresses) == 5 * stills.N_STILLS
    assert all(address.startswith("data:image/webp;base64,") for address in addresses)
    assert not any(section.pictures.film for section in sections)


def test_how_it_was_made(finished, text):
    found = making.of_run(Results(finished), {})
    assert [(cost.stage, cost.jobs, cost.seconds, cost.memory_mb) for cost in found.costs] == [
        ("train", 1, 12.5, 431.7)
    ]
    assert {
        "row": "pose_guided.coco",
        "on": "dives.halves",
        "runs": "4",
        "settings": "target: execution, training: {steps: 7}",
    } in found.rows
    assert found.libraries["numpy"]
    assert {store.weights for store in found.stores} == {"", "ab12"}
    assert set(found.hashes) == set(making.FILES)
    assert "snakemake x" in text
    assert "&#34;seed&#34;: 7" in text


def test_a_scale_holds_what_it_is_made_of():
    lines = [dots.Line("a", 0.5, 0.4, 0.6, beside=(0.9,)), dots.Line("b", np.nan)]
    scale = dots.of_lines(lines)
    assert (scale.low, scale.high) == (0.4, 0.9)
    assert (scale.at(0.4), scale.at(0.65), scale.at(0.9)) == ("4.00%", "50.00%", "96.00%")
    assert [scale.label(tick) for tick in scale.ticks] == ["0.4", "0.5", "0.6", "0.7", "0.8", "0.9"]
    assert not lines[1].drawn


@pytest.mark.parametrize(
    ("value", "shown"), [(np.nan, words.DASH), (-0.0001, "0.000"), (-0.25, f"{words.MINUS}0.250"), (12.0, "12.000")]
)
def test_numbers_as_they_are_printed(value, shown):
    assert words.number(value) == shown


def test_metrics_say_which_way_is_better():
    from aqa_pipeline import plugins

    said = {name: plugins.constant("metrics", name, "better") for name in plugins.available("metrics")}
    assert set(said.values()) == {"higher", "lower"}
    assert higher_is_better("spearman_rho")
    assert not higher_is_better("med")


def test_a_folder_without_tables_is_named(tmp_path):
    with pytest.raises(InputError, match=r"tables.csv: no such file, expected the results of a finished run"):
        report(tmp_path, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_a_table_without_any_score_still_has_its_page(finished, tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    for name in ("tables", "comparisons", "significance", "detectable"):
        table = pd.read_csv(finished / f"{name}.csv", dtype=str, keep_default_na=False)
        kept = table[table["dataset"] == "elsewhere"]
        kept.to_csv(folder / f"{name}.csv", index=False)
    report(folder, folder / "report.html")
    text = plain((folder / "report.html").read_text())
    assert "No row of these tables could be scored" in text
    assert "data absent" in text


def test_by_hand_it_is_the_same_page(finished, tmp_path, text):
    from typer.testing import CliRunner

    shutil.copytree(finished, tmp_path / "results")
    answer = CliRunner().invoke(cli.app, ["report", str(tmp_path / "results"), "--worst", "2"])
    assert answer.exit_code == 0, answer.output
    assert answer.output.strip() == str(tmp_path / "results/report.html")
    made = (tmp_path / "results/report.html").read_text()
    assert plain(made)[:3000] == plain(text)[:3000]
