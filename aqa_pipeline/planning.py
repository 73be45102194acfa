"""What a run will cost before it starts: its jobs by Snakemake's own planner, what each takes by recorded benchmarks.

A job is timed by what was measured nearest to it: the same row or block on the same data set in this folder's
`results/benchmarks`, else the same plugin or system there, else the figures that come with the package (`costs.csv`,
made by `benchmarks/costs.py`). What was never measured is unknown, and nothing is made up for it.
"""

from __future__ import annotations

import csv
import dataclasses
import inspect
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from aqa_pipeline import plugins
from aqa_pipeline.config import Config
from aqa_pipeline.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

SHIPPED = Path(__file__).with_name("costs.csv")
OWN = "this folder's results/benchmarks"

# Stages whose work grows with the videos that they are given, and how their benchmarks are named.
OF_SHARDS = {
    "simulate": ("dataset", "shard"),
    "extract_frames": ("dataset", "shard"),
    "detect_athlete": ("dataset", "detection", "shard"),
    "estimate_keypoints": ("dataset", "detection", "pose", "shard"),
    "smooth_keypoints": ("dataset", "detection", "pose", "shard"),
    "import_keypoints": ("dataset", "shard"),
    "extract_features": ("dataset", "features", "shard"),
    "import_features": ("dataset", "features", "shard"),
}
OF_DATASETS = {
    "list_samples": ("dataset",),
    "contact_sheet": ("dataset",),
    "measure_quality": ("dataset",),
    "measure_faults": ("dataset",),
    "flag_keypoints": ("dataset", "detection", "pose"),
}
OF_ROWS = {
    "draw_pairs": ("system", "variant", "dataset", "protocol", "seed"),
    # With the predictions, where a job trains all folds; and the fold, where it trains but one, and a job predicts.
    "train": ("system", "variant", "dataset", "protocol", "seed"),
    "predict": ("system", "variant", "dataset", "protocol", "seed"),
}
NAMES = OF_SHARDS | OF_DATASETS | OF_ROWS

# The room whose plugin does the work of a stage.
ROOM = {
    "detect_athlete": "detection",
    "estimate_keypoints": "pose",
    "smooth_keypoints": "pose",
    "extract_features": "features",
}


@dataclasses.dataclass(frozen=True)
class Job:
    """A job as Snakemake plans it."""

    stage: str
    names: Mapping[str, str]  # of its benchmark: dataset, shard, system ...
    benchmark: Path
    outputs: tuple[Path, ...]
    n_files: int  # outputs, log and benchmark
    gpu: bool  # whether it asks for one


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a stage takes for one unit of its work."""

    stage: str
    of: str  # the plugin or system that was measured; in a folder of one's own also the row or block on its data set
    device: str  # cpu or gpu
    per: str  # video, query of training, or run
    jobs: int  # measured
    seconds: float  # of the clock, as all that follow for one unit
    cpu_seconds: float  # of all cores
    memory_mb: float  # the most that any job took, whatever its size
    disk_mb: float  # in training of one fold
    files: float  # within folders that are an output
    machine: str


@dataclasses.dataclass(frozen=True)
class Stage:
    """A line of the plan."""

    stage: str
    jobs: int
    gpu_jobs: int  # that ask for a GPU
    cpu_hours: float
    gpu_hours: float  # of the clock, of these
    longest_hours: float  # of the clock, the longest job
    memory_mb: float
    disk_mb: float
    files: int
    unknown: Mapping[str, int]  # what was never measured -> jobs that the figures leave out
    sources: tuple[str, ...]  # machines that the figures are from


def jobs(files: Sequence[Path] = (), *, everything: bool = False, cluster: bool = False) -> list[Job]:
    """The jobs of `results/tables.csv` and all beside it, as Snakemake plans them in the working directory.

    `files` are laid over config.yaml. `everything` counts jobs that are done as well. On a `cluster` jobs ask for GPUs
    that are not here. InputError with Snakemake's own words where the workflow cannot be planned.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.exceptions import WorkflowError
    from snakemake.logging import logger
    from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

    snakefile = Path("Snakefile")
    if not snakefile.is_file():
        raise InputError(f"no Snakefile in {Path.cwd()}, expected the folder of the workflow")
    planned = _Planned()
    try:
        with SnakemakeApi(OutputSettings(dryrun=True)) as api:
            logger.handlers[:] = [planned]  # in place of the one that prints
            settings = ConfigSettings(configfiles=[Path(file) for file in files])
            # So many cores that all jobs that are ready are planned at once; nodes say that it is a cluster.
            resources = ResourceSettings(cores=100_000, nodes=100_000 if cluster else None)
            workflow = api.workflow(resources, settings, snakefile=snakefile)
            dag = workflow.dag(DAGSettings(forceall=everything, rerun_triggers=_rerun_triggers()))
            dag.execute_workflow(executor="dryrun")
    except WorkflowError as error:
        raise InputError(" ".join(str(error).split())) from error
    return planned.jobs


def _rerun_triggers() -> set:
    """Those of the default profile, which Snakemake reads on its command line alone."""
    import yaml
    from snakemake.settings.enums import RerunTrigger

    profile = Path("profiles/default/config.yaml")
    chosen = yaml.safe_load(profile.read_text()).get("rerun-triggers") if profile.is_file() else None
    return RerunTrigger.parse_choices_set(chosen) if chosen else set(RerunTrigger.all())


class _Planned(logging.Handler):
    """Collects the jobs that Snakemake tells its loggers of."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Job] = []

    def emit(self, record: logging.LogRecord) -> None:
        from snakemake_interface_logger_plugins.common import LogEvent

        if getattr(record, "event", None) is LogEvent.JOB_INFO and record.benchmark:
            benchmark = Path(record.benchmark)
            within = benchmark.parts[benchmark.parts.index("benchmarks") + 1 :]
            stage = within[0].removesuffix(".tsv")
            parts = [part for part in benchmark.stem.split(".") if stage != "train" or not part.startswith("fold")]
            names = dict(zip(NAMES.get(stage, ()), parts, strict=stage in NAMES))
            outputs = tuple(Path(path) for path in record.output)
            n_files = len(outputs) + len(record.log) + 1
            self.jobs.append(Job(stage, names, benchmark, outputs, n_files, bool(record.resources.get("gpu"))))


class Work:
    """How much work the jobs of a configuration are, and what it is the work of."""

    def __init__(self, settings: Config) -> None:
        self._settings = settings

    @cached_property
    def videos(self) -> dict[str, int]:
        """Videos by data set, of those that have been asked for."""
        return _Counted(self._settings)

    def units(self, job: Job) -> tuple[float, str]:
        """Units of work of a job, and what one is."""
        dataset = job.names.get("dataset")
        if job.stage == "train":
            is_network = "draws" in (plugins.constant("systems", job.names["system"], "needs") or ())
            amount, per = (self._queries(job), "query") if is_network else (self.videos[dataset], "video")
            return _folds(job) * amount, per
        if job.stage in OF_SHARDS:
            return self.videos[dataset] / self._settings.datasets[dataset].shards, "video"
        return (self.videos[dataset], "video") if job.stage in NAMES else (1, "run")

    def stored(self, job: Job) -> float:
        """Units that the size of its outputs grows with: what is learnt is no larger for being trained longer."""
        return _folds(job) if job.stage == "train" else self.units(job)[0]

    def _queries(self, job: Job) -> int:
        training = self._settings.variant(_row(job)).training
        if not training.epochs:
            return max(1, training.steps * training.batch)  # no steps: the weights as they are built
        folds = self._settings.datasets[job.names["dataset"]].protocols[job.names["protocol"]].folds
        return training.epochs * math.ceil(self.videos[job.names["dataset"]] * max(folds - 1, 1) / folds)

    def exactly(self, job: Job) -> str:
        """The row or block on its data set: what a job shares with those of other shards, folds and seeds."""
        parts = {name: part for name, part in job.names.items() if name not in ("shard", "seed")}
        return ".".join(parts.values()) or job.benchmark.stem

    def plugin(self, job: Job) -> str | None:
        """The plugin or system that does a job, `-` where there is none to choose.

        None for systems on pictures: another variant of one is another network, and says nothing of this one.
        """
        if job.stage in OF_ROWS:
            on_pictures = self._settings.variant(_row(job)).frames is not None
            return None if on_pictures else job.names["system"]
        if job.stage in ROOM:
            block = job.names[ROOM[job.stage]]
            return getattr(self._settings, ROOM[job.stage])[block].use or block
        if job.stage in ("simulate", "list_samples", "import_keypoints", "import_features"):
            return self._settings.adapter(job.names["dataset"])
        return "-"


class _Counted(dict):
    """Videos by data set, counted when they are asked for: long lists take a moment to read."""

    def __init__(self, settings: Config) -> None:
        super().__init__()
        self._settings = settings

    def __missing__(self, dataset: str) -> int:
        options = self._settings.datasets[dataset].options
        simulated = plugins.constant("datasets", self._settings.adapter(dataset), "simulated_by")
        if simulated:
            room, name, function = simulated
            signature = inspect.signature(getattr(plugins.load(room, name), function))
            self[dataset] = int(options.get("n_dives", signature.parameters["n_dives"].default))
        else:
            adapter = plugins.load("datasets", self._settings.adapter(dataset))
            self[dataset] = len(adapter.samples(**options))
        return self[dataset]


def _folds(job: Job) -> int:
    """Folds that a job trains, one in each folder."""
    return len({path.parent for path in job.outputs})


def _row(job: Job) -> str:
    return f"{job.names['system']}.{job.names['variant']}"


def measured(finished: Iterable[Job], work: Work, *, machine: str = OWN, plugins_alone: bool = False) -> list[Cost]:
    """Costs by what lies in `results/` of the jobs that are done.

    `plugins_alone` leaves out what only means something in the folder where it was measured: its rows and blocks.
    """
    found: dict[tuple[str, str, str], list[Job]] = {}
    for job in finished:
        if not (job.benchmark.is_file() and all(path.exists() for path in job.outputs)):
            continue
        for of in {work.plugin(job), None if plugins_alone else work.exactly(job)} - {None}:
            found.setdefault((job.stage, of, "gpu" if job.gpu else "cpu"), []).append(job)
    return [_cost(*key, done, work, machine) for key, done in sorted(found.items())]


def _taken(job: Job) -> dict[str, float]:
    """What a finished job took, by its benchmark and its outputs."""
    with job.benchmark.open(newline="") as file:
        row = next(csv.DictReader(file, delimiter="\t"))
    sizes = [_size(path) for path in job.outputs]
    return {
        "seconds": _number(row["s"]),
        "cpu_seconds": _number(row["cpu_time"]),
        "memory_mb": _number(row["max_rss"]),
        "disk_mb": sum(size for size, _ in sizes) / 1e6,
        "files": sum(files for _, files in sizes),
    }


def _number(text: str) -> float:
    """0 for a job that was over before Snakemake looked at it."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def _size(path: Path) -> tuple[int, int]:
    """Bytes, and files within a folder beyond the one that it counts as."""
    if path.is_dir():
        inside = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
        return sum(inside), len(inside) - 1
    return path.stat().st_size, 0


def _cost(stage: str, of: str, device: str, done: Sequence[Job], work: Work, machine: str) -> Cost:
    taken = [_taken(job) for job in done]
    amount, stored = sum(work.units(job)[0] for job in done), sum(work.stored(job) for job in done)
    return Cost(
        stage,
        of,
        device,
        per=work.units(done[0])[1],
        jobs=len(done),
        **{name: sum(figures[name] for figures in taken) / amount for name in ("seconds", "cpu_seconds")},
        memory_mb=max(figures["memory_mb"] for figures in taken),
        **{name: sum(figures[name] for figures in taken) / stored for name in ("disk_mb", "files")},
        machine=machine,
    )


def read(path: Path = SHIPPED) -> list[Cost]:
    """Costs from a CSV of the form of `costs.csv`."""
    kinds = {field.name: {"int": int, "float": float, "str": str}[field.type] for field in dataclasses.fields(Cost)}
    with path.open(newline="") as file:
        return [Cost(**{name: kinds[name](text) for name, text in row.items()}) for row in csv.DictReader(file)]


def write(costs: Iterable[Cost], path: Path) -> None:
    """Write costs as `read` reads them."""
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, [field.name for field in dataclasses.fields(Cost)], lineterminator="\n")
        out.writeheader()
        for cost in costs:
            figures = dataclasses.asdict(cost)
            out.writerow({name: f"{v:.4g}" if isinstance(v, float) else v for name, v in figures.items()})


def plan(planned: Sequence[Job], work: Work, own: Iterable[Cost] = (), shipped: Iterable[Cost] = ()) -> list[Stage]:
    """What the planned jobs take, stage by stage, in the order in which they are planned."""
    known = {(cost.stage, cost.of, cost.device): cost for cost in (*shipped, *own)}  # one's own come last and win
    of_stages: dict[str, list[tuple[Job, Cost | None]]] = {}
    for job in planned:
        device = "gpu" if job.gpu else "cpu"
        keys = [(job.stage, of, device) for of in (work.exactly(job), work.plugin(job))]
        cost = next((known[key] for key in keys if key in known), None)
        of_stages.setdefault(job.stage, []).append((job, cost))
    return [_stage(stage, found, work) for stage, found in of_stages.items()]


def _stage(stage: str, found: Sequence[tuple[Job, Cost | None]], work: Work) -> Stage:
    costed = [(job, cost, work.units(job)[0]) for job, cost in found if cost is not None]
    unknown: dict[str, int] = {}
    for job, cost in found:
        if cost is None:
            what = (work.plugin(job) or _row(job)) + (" on a GPU" if job.gpu else "")
            unknown[what] = unknown.get(what, 0) + 1
    return Stage(
        stage,
        jobs=len(found),
        gpu_jobs=sum(job.gpu for job, _ in found),
        cpu_hours=sum(cost.cpu_seconds * units for _, cost, units in costed) / 3600,
        gpu_hours=sum(cost.seconds * units for job, cost, units in costed if job.gpu) / 3600,
        longest_hours=max((cost.seconds * units for _, cost, units in costed), default=0.0) / 3600,
        memory_mb=max((cost.memory_mb for _, cost, _ in costed), default=0.0),
        disk_mb=sum(cost.disk_mb * work.stored(job) for job, cost, _ in costed),
        files=sum(job.n_files for job, _ in found) + round(sum(c.files * work.stored(job) for job, c, _ in costed)),
        unknown=unknown,
        sources=tuple(dict.fromkeys(cost.machine for _, cost, _ in costed)),
    )


def of_configuration(
    settings: Config, files: Sequence[Path] = (), *, cluster: bool = False
) -> tuple[list[Stage], dict[str, int]]:
    """The plan of a configuration in the working directory, and the videos by data set that it is about.

    `files` are what `settings` was read from, without config.yaml.
    """
    work = Work(settings)
    finished = jobs(files, everything=True, cluster=cluster) if Path("results/benchmarks").is_dir() else []
    stages = plan(jobs(files, cluster=cluster), work, own=measured(finished, work), shipped=read())
    return stages, dict(work.videos)


def show(stages: Sequence[Stage], videos: Mapping[str, int], console: Console) -> None:
    """Print a plan."""
    from rich.table import Column, Table

    counted = ", ".join(f"{number} of {dataset}" for dataset, number in videos.items())
    console.print(f"videos: {counted or 'none'}")
    table = Table(Column("stage", no_wrap=True, footer="all"), show_footer=True)
    total = _total(stages)
    for header in ("jobs", "CPU h", "GPU h", "longest job, h", "memory, MB", "disk, MB", "files"):
        table.add_column(header, justify="right", footer=_cells(total)[len(table.columns) - 1])
    for stage in stages:
        table.add_row(stage.stage, *_cells(stage))
    console.print(table)
    for stage in stages:
        for what, number in stage.unknown.items():
            console.print(f"unknown, not in the figures: {stage.stage} of {what}, never measured; jobs: {number}")
    if not total.gpu_jobs:
        console.print("no GPU is here, so none is planned for")
    for source in total.sources:
        console.print(f"measured: {source}")


def _total(stages: Sequence[Stage]) -> Stage:
    """All stages as one."""
    summed = ("jobs", "gpu_jobs", "cpu_hours", "gpu_hours", "disk_mb", "files")
    largest = ("longest_hours", "memory_mb")
    return Stage(
        "all",
        **{name: sum(getattr(stage, name) for stage in stages) for name in summed},
        **{name: max((getattr(stage, name) for stage in stages), default=0.0) for name in largest},
        unknown={f"{stage.stage} of {what}": n for stage in stages for what, n in stage.unknown.items()},
        sources=tuple(dict.fromkeys(source for stage in stages for source in stage.sources)),
    )


def _cells(stage: Stage) -> list[str]:
    """Jobs, hours, memory, disk and files; a `+` where jobs of unknown cost come on top, `?` where all are."""
    more = "+" if stage.unknown else ""
    if sum(stage.unknown.values()) == stage.jobs:
        return [str(stage.jobs), *["?"] * 5, str(stage.files)]
    hours = [f"{number:.2f}{more}" for number in (stage.cpu_hours, stage.gpu_hours, stage.longest_hours)]
    return [str(stage.jobs), *hours, f"{stage.memory_mb:.0f}{more}", f"{stage.disk_mb:.0f}{more}", str(stage.files)]
