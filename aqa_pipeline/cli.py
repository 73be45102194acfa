"""The `aqa` command."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from aqa_pipeline import config as settings
from aqa_pipeline import ledger, plugins, untrusted
from aqa_pipeline.about import ROOMS, about
from aqa_pipeline.availability import Availability
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.stages import Options

if TYPE_CHECKING:
    import pandas as pd

    from aqa_pipeline.audit import Subject

# Groups of the front page, in the order in which a person meets them.
LOOK, RUN, OWN_VIDEO, WEIGHTS = "Look", "Run", "Own video", "Weights and files"

DECLINED = 3  # exit status of `aqa score` where a video was declined

EXAMPLES = """\
For example:

- `aqa doctor` looks at the machine, `aqa plan` says what a run will cost, `snakemake --cores 8` makes
  results/tables.csv, `aqa watch` shows how far it is
- `aqa list systems`, `aqa show systems core`: what there is, and what it can do
- `aqa poses dive.mp4 --out out`: athlete and skeleton in a film of your own

`aqa COMMAND --help` says more of one command, the pages of docs/ more of all.
"""

app = typer.Typer(
    help="Action quality assessment, from competition video to score tables.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


of_weights = typer.Typer(no_args_is_help=True)


def main() -> None:
    """Entry point; a user's mistake is one line and exit status 2."""
    try:
        sys.exit(app(prog_name="aqa", standalone_mode=False))
    except InputError as error:
        sys.exit(_said(str(error)))
    except typer.Abort:
        sys.exit(_said("interrupted", status=130))
    except typer.TyperException as error:  # no such command or option, or a value that does not fit
        sys.exit(_said(" ".join(error.format_message().split())))


def _said(error: str, status: int = 2) -> int:
    if error:  # none where the help was shown in place of it
        print(f"error: {error}", file=sys.stderr)
    return status


def _rooms(incomplete: str) -> list[str]:
    return [room for room in ROOMS if room.startswith(incomplete)]


def _plugins(context: typer.Context, incomplete: str) -> list[str]:
    room = context.params.get("room")
    return [name for name in plugins.available(room) if name.startswith(incomplete)] if room in ROOMS else []


def _expect_room(room: str) -> None:
    if room not in ROOMS:
        raise InputError(f"no room '{room}': {nearest(room, ROOMS)}")


@app.command("list", rich_help_panel=LOOK)
def list_plugins(
    room: Annotated[str, typer.Argument(help=f"one of: {', '.join(ROOMS)}", autocompletion=_rooms)] = "",
) -> None:
    """What can be named in the configuration, a line each."""
    from rich.console import Console
    from rich.table import Table

    if room:
        _expect_room(room)
    table = Table("room", "name", "what it is")
    for each in [room] if room else ROOMS:
        for name in plugins.available(each):
            table.add_row(each, name, about(each, name).headline)
    Console().print(table)


@app.command(rich_help_panel=LOOK)
def show(
    room: Annotated[str, typer.Argument(help=f"one of: {', '.join(ROOMS)}", autocompletion=_rooms)],
    name: Annotated[str, typer.Argument(help="of the room, as `aqa list` names it", autocompletion=_plugins)],
) -> None:
    """One of them: what it is, its paper, its options.

    Of a system also the published figures that stand in the ledger for it. Nothing is imported for it.
    """
    from rich.console import Console
    from rich.table import Table

    _expect_room(room)
    found, console = about(room, name), Console(highlight=False)
    for paragraph in f"{found.text}\n\n{found.usage}".strip().split("\n\n"):
        is_list = any(line.startswith(" ") for line in paragraph.splitlines())  # which keeps its lines
        console.print(
            paragraph if is_list else " ".join(paragraph.split()), "", markup=False, soft_wrap=is_list, sep="\n"
        )
    if found.options:
        table = Table("option", "default", "what it means", title="Options", title_justify="left")
        for option in found.options:
            default = "must be given" if option.default is None else option.default
            table.add_row(*map(escape, (option.name, default, option.meaning)))
        console.print(table, "", sep="\n")
    if figures := [figure for figure in ledger.read() if room == "systems" and figure.system == name]:
        tables = ", ".join(dict.fromkeys(figure.table for figure in figures))
        console.print(f"{len(figures)} published figures in the ledger, tables {tables}\n", markup=False)
    typer.echo(plugins.source(room, name))


@app.command(rich_help_panel=LOOK)
def doctor(
    results: Annotated[Path, typer.Option(help="where the results will lie")] = Path("results"),
    as_json: Annotated[
        bool, typer.Option("--json", help="for machines: a list of check, state, found, advice")
    ] = False,
) -> None:
    """What this machine can do, and what is to be done.

    A line a finding: ok; a note, where something of the project cannot be had here; a problem, where the default run
    would stop. Exit status 1 where there is a problem.
    """
    from aqa_pipeline import doctor

    findings = []
    for finding in doctor.examine(results):
        findings.append(finding)
        if not as_json:
            colour = {"ok": "green", "note": "yellow", "problem": "red"}[finding.state]
            typer.echo(typer.style(f"{finding.state:8}", fg=colour) + str(finding)[8:])
    if as_json:
        typer.echo(doctor.as_json(findings))
    raise typer.Exit(any(finding.state == "problem" for finding in findings))


@app.command(rich_help_panel=RUN)
def check(
    files: Annotated[list[Path], typer.Argument(help="config.yaml, then what lies over it, as with --configfile")],
) -> None:
    """Check a configuration without running anything."""
    found = settings.check(settings.merged(files))
    rows = sum(len(found.tables[table].rows) for table in found.make_tables)
    typer.echo(f"good: {len(found.make_tables)} table(s), {rows} rows")
    available = Availability(found)
    for dataset, file in available.absent().items():
        typer.echo(f"absent: data set {dataset}, no {file}")
    for labels, file in available.absent_labels().items():
        typer.echo(f"absent: labelled pictures {labels}, no {file}")
    for environment in available.environments_absent():
        typer.echo(f"absent: environment {environment}, run `make {environment}`")


@app.command("plan", rich_help_panel=RUN)
def plan_run(
    files: Annotated[list[Path], typer.Argument(help="laid over config.yaml, as with --configfile")] = [],
    cluster: Annotated[bool, typer.Option("--cluster", help="with the GPUs that a cluster is asked for")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines: hours, MB and counts, unrounded")] = False,
) -> None:
    """What a run will cost, before it starts.

    Jobs, hours, memory, disk and files, stage by stage.
    """
    from rich.console import Console

    from aqa_pipeline import planning

    found = settings.check(settings.merged([Path("config.yaml"), *files]))
    stages, videos = planning.of_configuration(found, files, cluster=cluster)
    if as_json:
        typer.echo(json.dumps({"videos": videos, "stages": [dataclasses.asdict(stage) for stage in stages]}, indent=2))
        return
    for dataset, file in Availability(found).absent().items():
        typer.echo(f"not planned: data set {dataset} is absent, no {file}")
    planning.show(stages, videos, Console())


@app.command(rich_help_panel=LOOK)
def audit(
    dataset: Annotated[str, typer.Argument(help="block of the configuration; with --root, an adapter's name")],
    files: Annotated[list[Path], typer.Argument(help="laid over config.yaml, as with --configfile")] = [],
    root: Annotated[Path | None, typer.Option(help="the data set's folder; no configuration is read")] = None,
    against: Annotated[
        list[str], typer.Option(help="another data set that may hold the same clips, or ADAPTER=FOLDER")
    ] = [],
    hashing: Annotated[bool, typer.Option("--hash", help="look for clips that look the same")] = False,
    mirrored: Annotated[bool, typer.Option(help="and for mirror images")] = False,
    protocol: Annotated[str, typer.Option(help="protocol that parts the samples; the first by default")] = "",
    out: Annotated[Path, typer.Option(help="folder of the results")] = Path("results/audit"),
) -> None:
    """What a data set holds, and where it can mislead.

    Leaves DATASET.csv, DATASET.details.csv and DATASET.png.
    """
    from rich.console import Console

    from aqa_pipeline.audit import _terminal
    from aqa_pipeline.stages.audit import write

    subject = audited(dataset, files, root=root, against=against, hashing=hashing, mirrored=mirrored, protocol=protocol)
    findings = write(subject, out / f"{dataset}.csv")
    _terminal.show(dataset, findings, Console())
    typer.echo(f"\n{out / dataset}.csv, {dataset}.details.csv, {dataset}.png")


def audited(
    dataset: str,
    files: Sequence[Path] = (),
    *,
    root: Path | None = None,
    against: Sequence[str] = (),
    hashing: bool = False,
    mirrored: bool = False,
    protocol: str = "",
) -> Subject:
    """The subject of an audit, read by its adapter and parted by its protocol, without Snakemake."""
    from aqa_pipeline.audit import Subject

    found = settings.check(settings.merged([Path("config.yaml"), *files])) if root is None else None
    block = found.audit.get(dataset, settings.Audit()) if found else settings.Audit()
    adapter, options = _source(found, dataset, root)
    samples = plugins.load("datasets", adapter).samples(**options)
    folds = _folds(found, dataset, samples, protocol or block.protocol or "")
    others = {}
    for other in against or _at_hand(found, block.against):
        name, _, folder = other.partition("=")
        its_adapter, its_options = _source(found, name, Path(folder) if folder else None)
        others[name] = plugins.load("datasets", its_adapter).samples(**its_options)
    return Subject(
        dataset,
        samples,
        plugins.load("datasets", adapter),
        options=options,
        folds=folds,
        others=others,
        hashing=hashing or block.hashing,
        mirrored=mirrored or block.mirrored,
        **({"bootstrap": found.bootstrap, "seed": found.seed} if found else {}),
    )


def _at_hand(found: settings.Config | None, datasets: Sequence[str]) -> list[str]:
    """Of the data sets that a configuration names those that are there; the others are said."""
    absent = [dataset for dataset in datasets if found and not Availability(found).is_present(dataset)]
    for dataset in absent:
        typer.echo(f"not compared with {dataset}: it is not at hand", err=True)
    return [dataset for dataset in datasets if dataset not in absent]


def _source(found: settings.Config | None, dataset: str, root: Path | None) -> tuple[str, dict]:
    """Adapter and options of a block of the configuration, or of an adapter with nothing but a root."""
    if root is not None:
        needed = plugins.options("datasets", dataset, "samples")
        if "root" not in needed:
            raise InputError(f"--root: {dataset} takes {', '.join(needed)}; name it in a configuration")
        more = [option for option in plugins.required("datasets", dataset, "samples") if option != "root"]
        if more:
            raise InputError(f"--root: {dataset} also takes {', '.join(more)}; name it in a configuration")
        return dataset, {"root": root}
    if found is None:
        raise InputError(f"{dataset}: no folder, expected {dataset}=FOLDER beside --root")
    if dataset not in found.datasets:
        raise InputError(f"no data set '{dataset}' in the configuration: {nearest(dataset, found.datasets)}")
    return found.adapter(dataset), found.adapter_options(dataset)


def _folds(found: settings.Config | None, dataset: str, samples: pd.DataFrame, protocol: str) -> pd.DataFrame | None:
    """Folds under a protocol of the data set's block, its first by default; without a configuration, as usual."""
    from aqa_pipeline.stages.make_folds import parted

    if found is None:
        if not protocol:
            return None  # the official part, where there is one
        usual = {"official": 1, "given": samples["fold"].nunique() if "fold" in samples else 1}
        return parted(samples, protocol, dict(n_folds=usual.get(protocol, 5), seed=0))
    blocks = found.datasets[dataset].protocols
    name = protocol or next(iter(blocks), None)
    if name is None:
        return None
    if name not in blocks:
        raise InputError(f"--protocol: {dataset} has no '{name}', {nearest(name, blocks)}")
    block = blocks[name]
    options = dict(n_folds=block.folds, validation=block.validation, seed=found.seed, **block.options)
    others = [plugins.load("datasets", a).samples(**o) for a, o in (_source(found, x, None) for x in block.excluding)]
    return parted(samples, block.use or name, options, others)


@app.command(rich_help_panel=OWN_VIDEO)
def export(
    store: Annotated[Path, typer.Argument(help="boxes or keypoints")],
    out: Annotated[Path, typer.Argument(help=".json (COCO), .csv or .parquet")],
    to: Annotated[str, typer.Option(help="coco, csv or parquet; by the suffix of OUT by default")] = "",
    frames: Annotated[Path | None, typer.Option(help="the frame store, for times where the rate varies")] = None,
    video: Annotated[list[str], typer.Option(help="only this video; several times for several")] = [],
) -> None:
    """Boxes or keypoints as COCO's JSON, CSV or parquet."""
    from aqa_pipeline.evaluation import export as exports

    exports.export(store, out, to=to, frames=frames, videos=video)


@app.command(rich_help_panel=OWN_VIDEO)
def overlay(
    stores: Annotated[list[Path], typer.Argument(help="frames, boxes, keypoints, or folders of them, in any order")],
    out: Annotated[Path, typer.Argument(help="an .mp4 for one video, otherwise a folder")],
    video: Annotated[list[str], typer.Option(help="only this video; several times for several")] = [],
    height: Annotated[int, typer.Option(min=1, help="smaller pictures are enlarged to it")] = 540,
    feedback: Annotated[
        Path | None,
        typer.Option(
            help="folder of a run of pose_dct; give the feature stores that it read among STORES too. Arrows show where"
            " the joints that matter most in each frame should move for a higher predicted score"
        ),
    ] = None,
) -> None:
    """A film of boxes and keypoints, drawn on the frames.

    Without a frame store they are drawn on black.
    """
    from aqa_pipeline.evaluation import store_films

    advice = None if feedback is None else _weights_of_pose_dct(feedback)
    for film in store_films.films(stores, out, videos=video, height=height, advice=advice):
        typer.echo(film)


def _weights_of_pose_dct(run: Path) -> dict:
    from aqa_pipeline.training import runs

    settings, _ = runs.load_settings(run)
    if settings.system != "pose_dct":
        raise InputError(f"--feedback: {run} is a run of {settings.system}, expected one of pose_dct")
    return runs.load_arrays(run)["model."]


@app.command(rich_help_panel=OWN_VIDEO)
def poses(
    videos: Annotated[list[Path], typer.Argument(help="video files or folders of numbered pictures")],
    out: Annotated[Path, typer.Option(help="folder of the results")],
    detector: Annotated[str, typer.Option(help="a file of detection/")] = "blazepose",
    athlete: Annotated[str, typer.Option(help="a file of athlete/")] = "tracked",
    estimator: Annotated[str, typer.Option(help="a file of pose/")] = "blazepose",
    detector_options: Options = {},
    athlete_options: Options = {},
    estimator_options: Options = {},
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="all cores by default")] = os.cpu_count() or 1,
) -> None:
    """The athlete and the keypoints in films of your own.

    Leaves the stores, and a film and a CSV of each video.
    """
    from aqa_pipeline import own_videos

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    choice = own_videos.Choice(
        detector, athlete, estimator, detector_options, athlete_options, estimator_options, device, threads
    )
    failures = own_videos.poses(videos, out, choice)
    for name in sorted({video.stem for video in videos} - set(failures)):
        typer.echo(f"{out / name}.mp4, {name}.csv")
    if failures:
        raise InputError("; ".join(failures.values()))


@app.command("score", rich_help_panel=OWN_VIDEO)
def score_videos(
    videos: Annotated[list[Path], typer.Argument(help="video files or folders of numbered pictures")],
    run: Annotated[Path, typer.Option(help="results/runs/ROW/DATASET.PROTOCOL, or one fold and seed in it")],
    out: Annotated[Path, typer.Option(help="folder of the results")] = Path("out"),
    action_type: Annotated[str, typer.Option(help="of all videos: a dive number such as 5253b")] = "",
    difficulty: Annotated[float | None, typer.Option(help="of all videos")] = None,
    labels: Annotated[Path | None, typer.Option(help="CSV with name, action_type, difficulty of single videos")] = None,
    results: Annotated[Path | None, typer.Option(help="of the run, if it was moved away from them")] = None,
    height: Annotated[int, typer.Option(min=1, help="of the films; smaller pictures are enlarged to it")] = 540,
    megabytes: Annotated[float, typer.Option(min=0, help="of all pictures on the page")] = 20.0,
    explain: Annotated[bool, typer.Option(help="what steps and joints contribute, and measured angles")] = True,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="all cores by default")] = os.cpu_count() or 1,
) -> None:
    """Scores for films of your own, or why there are none.

    By a trained run, each with its interval. Leaves a page, a table, and a JSON and a film of each video. Exit status 3
    where a video was declined.
    """
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from aqa_pipeline.judging import terminal, verdict
    from aqa_pipeline.judging.judge import score

    logging.getLogger("aqa_pipeline").setLevel(logging.ERROR)  # what was left out is said with the verdict
    columns = SpinnerColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("videos", total=len(videos))
        given = dict(action_type=action_type or None, difficulty=difficulty, labels=labels, results=results)
        given |= dict(height=height, megabytes=megabytes, explain=explain, device=device, threads=threads)
        found = score(
            videos, run=run, out=out, **given,
            progress=lambda one: bar.update(task, advance=1, description=f"videos, the last {one.name}: {one.status}"),
        )  # fmt: skip
    terminal.show(found, Console())
    typer.echo(f"{out / 'index.html'}")
    if any(one.status == verdict.DECLINED for one in found):
        raise typer.Exit(DECLINED)


@app.command(rich_help_panel=LOOK)
def report(
    results: Annotated[Path, typer.Argument(help="folder of a finished run")] = Path("results"),
    out: Annotated[Path | None, typer.Argument(help="the page; RESULTS/report.html by default")] = None,
    worst: Annotated[int, typer.Option(min=0, help="videos with the largest errors that have a section")] = 10,
    median: Annotated[int, typer.Option(min=0, help="videos around the median error")] = 1,
    best: Annotated[int, typer.Option(min=0, help="videos with the smallest errors")] = 1,
    films: Annotated[bool, typer.Option(help="a short film of each")] = True,
    megabytes: Annotated[float, typer.Option(min=0, help="of all pictures and films together")] = 3.0,
    keypoints: Annotated[str, typer.Option(help="detector.estimator that is drawn on them")] = "",
    configfile: Annotated[list[Path], typer.Option(help="config.yaml, then what lay over it: shown on the page")] = [],
) -> None:
    """A finished run as one page.

    HTML, which opens without a network.
    """
    from aqa_pipeline.stages.report import report as write

    page = out or results / "report.html"
    videos = dict(worst=worst, median=median, best=best, films=films, megabytes=megabytes, keypoints=keypoints)
    write(results, page, configuration=settings.merged(configfile), **videos)
    typer.echo(page)


@app.command(rich_help_panel=RUN)
def schema() -> None:
    """The JSON schema of the configuration, for editors."""
    typer.echo(settings.schema(), nl=False)


@app.command(rich_help_panel=RUN)
def watch(
    results: Annotated[Path, typer.Option(help="the results folder of a run")] = Path("results"),
    seconds: Annotated[float, typer.Option(help="stop after so long without news")] = 60,
) -> None:
    """How far the stages are that run at the moment."""
    from rich.live import Live
    from rich.table import Table

    with Live(refresh_per_second=2) as live:
        while running := stages_in_progress(results / "logs", within=seconds):
            table = Table("stage", "of", "progress")
            for row in running:
                table.add_row(*row)
            live.update(table)
            time.sleep(0.5)


def stages_in_progress(logs: Path, *, within: float) -> list[tuple[str, str, str]]:
    """Stage, file name and last progress line of every log that changed in the last `within` seconds."""
    found = []
    for log in sorted(logs.glob("*/*.log")):
        if time.time() - log.stat().st_mtime > within:
            continue
        lines = log.read_text(errors="replace").splitlines()
        progress = [line for line in lines if re.search(r": \d+ (of|done)", line)]
        if progress and " done in " not in progress[-1]:
            found.append((log.parent.name, log.stem, progress[-1].partition(": ")[2]))
    return found


app.add_typer(
    of_weights, name="weights", help="Weights of networks: which are here, and getting others.", rich_help_panel=WEIGHTS
)


@of_weights.command("list")
def list_weights() -> None:
    """The weights of the registry, and which of them are here."""
    from rich.console import Console
    from rich.table import Column, Table

    from aqa_pipeline import weights

    table = Table(Column("name", no_wrap=True), "here", "licence", "comes", "what it is")
    for name in weights.available():
        about = weights.entry(name)
        comes = {"shipped": "with this package", "url": "aqa weights fetch"}.get(
            about["from"], about.get("distribution")
        )
        table.add_row(name, "yes" if weights.is_present(name) else "no", about["licence"], comes, about["what"])
    Console().print(table)


@of_weights.command("fetch")
def fetch_weights(
    names: Annotated[list[str], typer.Argument(help="of the registry")],
    to: Annotated[Path | None, typer.Option(help="folder; $AQA_WEIGHTS or the user's cache by default")] = None,
) -> None:
    """Download weights from their authors' address; what is not as published does not stay."""
    from aqa_pipeline import weights
    from aqa_pipeline.weights import arrivals

    for name in names:
        place = arrivals.fetch(name, to, progress=_Bar(name))
        known = "as published" if "sha256" in weights.entry(name) else "noted beside it"
        typer.echo(f"{place}\nSHA-256 {weights.digest(place)}, {known}")


class _Bar:
    """A bar of rich, of the form that pooch asks for; it stays away until the size is known."""

    total = 0

    def __init__(self, label: str) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        self._bar = Progress(TextColumn(label), BarColumn(), DownloadColumn(), TransferSpeedColumn(), transient=True)
        self._task = self._bar.add_task(label)

    def update(self, n_bytes: int) -> None:
        self._bar.start()
        self._bar.update(self._task, advance=n_bytes, total=self.total or None)

    def reset(self) -> None:
        self._bar.reset(self._task)

    def close(self) -> None:
        self._bar.stop()


@of_weights.command("add")
def add_weights(
    name: Annotated[str, typer.Argument(help="of the registry")],
    file: Annotated[Path, typer.Argument(help="as downloaded, the archive too")],
    to: Annotated[Path | None, typer.Option(help="folder; $AQA_WEIGHTS or weights/ by default")] = None,
) -> None:
    """Copy a downloaded file to where it is looked for, if it is the one that is expected."""
    from aqa_pipeline.weights import arrivals

    typer.echo(arrivals.add(name, file, to))


@app.command(rich_help_panel=WEIGHTS)
def unpack(
    archive: Annotated[Path, typer.Argument(help="zip or tar, as downloaded")],
    folder: Annotated[Path, typer.Argument(help="a new folder")],
) -> None:
    """Unpack a downloaded archive, whole or not at all.

    Names that lead out of the folder are refused.
    """
    typer.echo(f"{untrusted.unpack(archive, folder)} files in {folder}")


if __name__ == "__main__":
    main()
