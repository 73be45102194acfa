"""What is left of verdicts: summary.csv, a JSON and a film of each video, and a page that opens without a network."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aqa_pipeline import __version__, stores
from aqa_pipeline.evaluation import store_films
from aqa_pipeline.judging.recipe import OWN
from aqa_pipeline.judging.refusal import ERROR_RATE
from aqa_pipeline.judging.verdict import SCORED, SIMULATED, Verdict, Vote, plain, table
from aqa_pipeline.report import dots, stills, words
from aqa_pipeline.report.page import environment
from aqa_pipeline.report.plots import Cell, Plot
from aqa_pipeline.training.trained import Trained, steps

if TYPE_CHECKING:
    from aqa_pipeline.judging.judge import Case, Judge

SHOWN, FILMED = 6, 2  # exemplars of a video that are shown, and filmed, those that moved it farthest


@dataclass(frozen=True)
class Leaf:
    """A video on the page."""

    verdict: Verdict
    pictures: stills.Pictures
    exemplars: Sequence[tuple[Vote, stills.Pictures]]
    has_film: bool
    votes: Plot | None


class Album:
    """Gathers verdicts in a folder: JSON and film at once, the page and the table at the end.

    Parameters
    ----------
    judge : who gives the verdicts
    out : the folder
    height : of the films, in pixels
    megabytes : of all pictures on the page
    """

    def __init__(self, judge: Judge, out: Path, *, height: int = 540, megabytes: float = 20.0) -> None:
        self._judge, self._out, self._height = judge, out, height
        self._budget = stills.Budget(int(megabytes * 2**20 * 3 / 4))  # base64 makes four bytes of three
        self._leaves: list[Leaf] = []
        out.mkdir(parents=True, exist_ok=True)

    def add(self, case: Case, verdict: Verdict) -> Verdict:
        """The verdict with the time that its film and pictures took."""
        started = time.monotonic()
        film = self._film(case)
        pictures = self._pictures(case)
        exemplars = [
            (vote, self._of_exemplar(vote.video_id, films=number < FILMED))
            for number, vote in enumerate(verdict.votes[:SHOWN])
        ]
        verdict = replace(verdict, seconds={**verdict.seconds, "pictures": time.monotonic() - started})
        self._leaves.append(Leaf(verdict, pictures, exemplars, film, _plot(verdict, self._judge)))
        with stores.replacing(self._out / f"{verdict.name}.json") as path:
            path.write_text(json.dumps(self._facts(verdict), indent=1) + "\n", encoding="utf-8")
        return verdict

    def finish(self) -> None:
        """Write summary.csv and index.html."""
        summary = table([leaf.verdict for leaf in self._leaves])
        with stores.replacing(self._out / "summary.csv") as path:
            summary.to_csv(path, index=False, lineterminator="\n", float_format="%.4g")
        with stores.replacing(self._out / "index.html") as path:
            path.write_text(self._page(), encoding="utf-8")

    def _film(self, case: Case) -> bool:
        """Whether there is something to film."""
        drawn = [case.kitchen.by_kind(kind) for kind in ("frames", "boxes", "keypoints")]
        there = [path for path in drawn if path and _holds(path, case.video_id)]
        if there and there[0] == drawn[0]:
            store_films.films(there, self._out / f"{case.name}.mp4", videos=[case.video_id], height=self._height)
            return True
        return False

    def _pictures(self, case: Case) -> stills.Pictures:
        import pandas as pd

        keypoints = case.kitchen.by_kind("keypoints")
        gallery = stills.Gallery(case.kitchen.folder, OWN, keypoints.parent.name if keypoints else "")
        return gallery.of(case.video_id, pd.Series({"shard": 0}), self._budget, films=True)

    def _of_exemplar(self, video_id: str, *, films: bool) -> stills.Pictures:
        trained, athletes = self._judge.trained, self._judge.athletes
        drawn = athletes[0].parent.name if athletes and stores.kind(athletes[0]) == "keypoints" else ""
        gallery = stills.Gallery(trained.results, trained.dataset, drawn)
        sample = trained.samples.set_index("video_id").loc[video_id]
        return gallery.of(video_id, sample, self._budget, films=films)

    def _facts(self, verdict: Verdict) -> dict[str, Any]:
        """The JSON of a video: the verdict, and what it rests on."""
        return plain({**asdict(verdict), "spread": verdict.spread, "run": self._run()})

    def _run(self) -> dict[str, Any]:
        judge, trained = self._judge, self._judge.trained
        interval = judge.interval
        return {
            "row": trained.row,
            "dataset": trained.dataset,
            "protocol": trained.protocol,
            "models": [folder.name for folder in trained.folders],
            "learnt": trained.settings.target,
            "interval": {
                "confidence": interval.confidence,
                "half_width": interval.half,
                "from": interval.n,
                "groups": interval.n_groups,
                "coverage_out_of_fold": interval.coverage.share,
                "coverage_interval": [interval.coverage.low, interval.coverage.high],
            },
            "declines_of_training": judge.familiar.error_rate,
            "recipe": dict(trained.recipe),
            "version": __version__,
        }

    def _page(self) -> str:
        verdicts = [leaf.verdict for leaf in self._leaves]
        return (
            environment("aqa_pipeline.judging")
            .get_template("verdicts.html")
            .render(
                leaves=self._leaves,
                scored=[verdict for verdict in verdicts if verdict.status == SCORED],
                judge=self._judge,
                run=self._run(),
                error_rate=ERROR_RATE,
                simulated=SIMULATED,
                recipe=_recipe_words(self._judge.trained),
                summary=words.csv_address(table(verdicts)),
                version=__version__,
            )
        )


def _plot(verdict: Verdict, judge: Judge) -> Plot | None:
    """The votes as dots, with the prediction drawn through all of them."""
    import pandas as pd

    if not verdict.votes:
        return None
    own = verdict.mark if judge.trained.settings.target == "execution" and verdict.mark else verdict.total
    lines = [dots.Line(vote.video_id, vote.vote) for vote in sorted(verdict.votes, key=lambda vote: vote.vote)]
    of = {vote.video_id: vote for vote in verdict.votes}
    shown = [of[line.name] for line in lines]
    return Plot(
        anchor=f"{quote(verdict.name, safe='')}-votes",
        title="Votes of the exemplars",
        lead="what the models give the video beside each training video, and how far that moves the prediction",
        lines=lines,
        scale=dots.scale([own.value, *(line.value for line in lines)]),
        digits=1,
        csv=words.csv_address(pd.DataFrame([asdict(vote) for vote in shown])),
        file=f"{verdict.name}.votes.csv",
        columns=["judges", "moves by"],
        cells=[[Cell(v.own, words.number(v.own, 1)), Cell(v.moved, words.signed(v.moved, 2))] for v in shown],
        name="exemplar",
        truth=own.value,
    )


def _recipe_words(trained: Trained) -> list[tuple[str, str]]:
    """Every step from the video to what the models read, each once: its stage, and its options."""
    recipe = trained.recipe
    roots = [*recipe["features"].values(), *(recipe[kind] for kind in ("boxes", "frames") if kind in recipe)]
    found: dict[str, str] = {}
    for root in roots:
        for step in reversed(list(steps(root))):
            shown = {name: value for name, value in step.items() if name not in ("stage", "inputs", "libraries")}
            found.setdefault(f"{step['stage'].replace('_', ' ')}", words.setting(shown))
    return list(found.items())


def _holds(path: Path, video_id: str) -> bool:
    with stores.read(path, kind=stores.kind(path)) as store:
        return video_id in store
