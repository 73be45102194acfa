"""What the machine can do: `aqa doctor` looks at it and says of everything it finds what that means and what to do.

A finding is ok; a note, where something of the project cannot be had here or will be slow; or a problem, where the
default run would stop.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aqa_pipeline import environments, weights
from aqa_pipeline.errors import InputError

ROOT = Path(__file__).parents[1]
DISTRIBUTION = "aqa-pipeline"
LOCKS = ("requirements.lock", "requirements-no-deps.lock")

# What the default run takes, measured, and what is comfortable.
RESULTS_GB, MEMORY_GB = 0.9, 1.0
ROOMY_RESULTS_GB, ROOMY_MEMORY_GB, ROOMY_TEMPORARY_GB = 5.0, 4.0, 0.5

# The SLURM plugin asks again after ever longer times; a job that SLURM has forgotten by then is lost to it.
FIRST_STATUS_CHECK = 20  # seconds, of profiles/slurm

SECONDS = 20  # that another program may take to answer


@dataclass(frozen=True)
class Finding:
    """One line: what was found, and where it is not ok what that means and what to do."""

    check: str
    state: Literal["ok", "note", "problem"]
    found: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.state:8} {self.check:10} {self.found}" + (f": {self.advice}" if self.advice else "")


def examine(results: Path = Path("results")) -> Iterator[Finding]:
    """Everything, one check after the other; `results` is the folder of the run."""
    yield from python()
    yield from packages()
    yield from snakemake()
    yield from torch()
    yield from codecs()
    yield from disk(results)
    yield from memory()
    yield from shipped_weights()
    yield from other_weights()
    yield from mmpose()
    yield from slurm()


def python() -> Iterator[Finding]:
    from packaging.specifiers import SpecifierSet

    version, needed = ".".join(map(str, sys.version_info[:3])), ">=3.11"
    found = f"Python {version} in {sys.prefix}"
    if SpecifierSet(needed).contains(version):
        yield Finding("python", "ok", found)
    else:
        yield Finding("python", "problem", found, f"make the environment with a Python {needed}")


def packages() -> Iterator[Finding]:
    """Installed versions beside what the package asks for and what the lock files say."""
    from packaging.version import Version

    locked, others = _locked(), {}
    for name, specifier in _required().items():
        version = _installed(name)
        if version is None:
            yield Finding("packages", "problem", f"no {name}", f"install {name}=={locked.get(name, '')}".rstrip("="))
        elif not specifier.contains(version, prereleases=True):
            yield Finding(
                "packages", "problem", f"{name} {version}, needed is {specifier}", "make the environment again"
            )
    for name, expected in locked.items():
        version = _installed(name)
        if version is not None and Version(version).public != expected:
            others[name] = f"{name} {version} for {expected}"
    if others:
        yield Finding(
            "packages",
            "note",
            f"not as locked: {', '.join(others.values())}",
            "figures may differ from the README's in their last digits; `make tables` makes the locked environment",
        )
    elif locked:
        absent = [name for name in locked if _installed(name) is None]
        yield Finding(
            "packages",
            "note" if absent else "ok",
            f"{len(locked) - len(absent)} of {len(locked)} as locked"
            + (f", without {', '.join(absent)}" if absent else ""),
            "the default run may not need them; `make tables` installs all" if absent else "",
        )
    else:
        yield Finding("packages", "ok", "within the ranges that the package asks for; no lock file lies beside it")


def _locked() -> dict[str, str]:
    """Version by name, of the lock files of the project's folder; none where the package was installed without it."""
    files = [ROOT / name for name in LOCKS if (ROOT / name).is_file()]
    return dict(line.split("==") for file in files for line in file.read_text().split())


def _required():
    """What the installed package says that it needs, by name; nothing where it runs from its folder, uninstalled."""
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    return {r.name: r.specifier for r in map(Requirement, lines) if r.marker is None or r.marker.evaluate()}


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def snakemake() -> Iterator[Finding]:
    """The command that a person will type is that of this environment, and there is something for it to run."""
    command = shutil.which("snakemake")
    own = Path(sys.executable).with_name("snakemake")
    if _installed("snakemake") is None:
        yield Finding("snakemake", "problem", "not installed", "the workflow is run by it; `make tables` installs it")
    elif command is None or not Path(command).samefile(own):
        yield Finding(
            "snakemake",
            "note",
            f"on the path: {command or 'none'}",
            f"this environment's is {own}; activate it (`. {sys.prefix}/bin/activate`)",
        )
    else:
        yield Finding("snakemake", "ok", f"Snakemake {_installed('snakemake')}")
    if not Path("Snakefile").is_file():
        yield Finding("snakemake", "note", f"no Snakefile in {Path.cwd()}", "run it in the folder of the project")


def torch() -> Iterator[Finding]:
    """Torch and its threads, and the GPU as it sees it."""
    try:
        import torch
    except Exception as error:  # a broken library fails in many ways
        yield Finding("torch", "problem", f"cannot be imported ({_first_line(error)})", "install it as locked")
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for the CPU alone"
    yield Finding("torch", "ok", f"torch {torch.__version__} {built}, {torch.get_num_threads()} of {cores} cores")
    cards = _answer("nvidia-smi", "-L")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
        said = ", ".join(f"{card.name} ({card.total_memory / 2**30:.0f} GB)" for card in names)
        yield Finding("gpu", "ok", f"{len(names)}: {said}")
    elif cards and cards.stdout.startswith("GPU"):
        why = "torch is built for the CPU alone" if torch.version.cuda is None else "the driver is older than its CUDA"
        yield Finding(
            "gpu",
            "note",
            f"{len(cards.stdout.splitlines())} that torch cannot use, {why}",
            f"install torch {torch.__version__.partition('+')[0]} for the CUDA of the driver (nvidia-smi names it)",
        )
    else:
        yield Finding(
            "gpu",
            "note",
            "none",
            "the default run needs none; the papers' networks, trained end to end, are meant for one",
        )


def codecs() -> Iterator[Finding]:
    """Films are really written and read: those that the run makes, and what phones and broadcasts come in."""
    with tempfile.TemporaryDirectory() as folder:
        for name, code in (("mp4", "mp4v"), ("avi", "MJPG")):
            wrong = _tried(lambda name=name, code=code: _round_trip(Path(folder) / f"clip.{name}", code))
            if wrong:
                needed = name == "mp4"  # simulated dives and overlay films
                yield Finding(
                    "codecs",
                    "problem" if needed else "note",
                    f"{name} ({code}): {wrong}",
                    "install opencv-python-headless as locked, which brings its own codecs",
                )
            else:
                yield Finding("codecs", "ok", f"{name} ({code}) is written and read")
    wrong = _tried(lambda: _levels_differ(Path(__file__).with_name("h264.mp4")))
    if wrong:
        yield Finding(
            "codecs",
            "note",
            f"H.264 is not read: {wrong}",
            "films of phones and broadcasts are in it; install opencv-python-headless as locked",
        )
    else:
        yield Finding("codecs", "ok", "H.264 is read")


def _round_trip(path: Path, code: str) -> str:
    """Write four frames by OpenCV and read them as the project does; what is wrong, or nothing."""
    import cv2
    import numpy as np

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 20, (48, 32))
    if not writer.isOpened():
        return "OpenCV cannot write it"
    for number in range(4):
        writer.write(np.full((32, 48, 3), 20 + 15 * number, np.uint8))
    writer.release()
    return _levels_differ(path)


def _levels_differ(path: Path) -> str:
    """What is wrong with four grey frames of levels 20, 35, 50 and 65."""
    from aqa_pipeline import frames

    levels = [float(rgb.mean()) for _, _, rgb in frames.decode(path)]
    expected = [20, 35, 50, 65]
    if len(levels) != len(expected):
        return f"read {len(levels)} frames of {len(expected)}"
    wrong = [number for number, level in enumerate(levels) if abs(level - expected[number]) > 5]
    return f"frame {wrong[0]} has brightness {levels[wrong[0]]:.0f} for {expected[wrong[0]]}" if wrong else ""


def _tried(check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as error:  # whatever OpenCV or a missing library throws
        return _first_line(error)


def disk(results: Path) -> Iterator[Finding]:
    """Room in the results and for temporary files, and that one may write there."""
    place = results.resolve()
    while not place.exists():
        place = place.parent
    yield _room("results", place, least=RESULTS_GB, roomy=ROOMY_RESULTS_GB)
    yield _room("temporary", Path(tempfile.gettempdir()), least=0.0, roomy=ROOMY_TEMPORARY_GB)


def _room(what: str, place: Path, *, least: float, roomy: float) -> Finding:
    free = shutil.disk_usage(place).free / 1e9
    found = f"{free:.1f} GB free for {what} files in {place}"
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"0")
    except OSError as error:
        advice = "choose a folder of your own" + (", or set TMPDIR" if what == "temporary" else "")
        return Finding("disk", "problem", f"{place} cannot be written ({error.strerror})", advice)
    if free < least:
        return Finding("disk", "problem", found, f"the default run takes {least} GB; make room")
    if free < roomy:
        return Finding("disk", "note", found, "real data sets take tens of GB; `aqa plan` says how much")
    return Finding("disk", "ok", found)


def memory() -> Iterator[Finding]:
    """Memory of the machine, or of the container where that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")]
    told = [int(file.read_text()) for file in limits if file.is_file() and file.read_text().strip().isdigit()]
    gigabytes = min([total, *told]) / 1e9
    found = f"{gigabytes:.1f} GB"
    if gigabytes < MEMORY_GB:
        yield Finding("memory", "problem", found, f"jobs of the default run take up to {MEMORY_GB:.0f} GB")
    elif gigabytes < ROOMY_MEMORY_GB:
        yield Finding("memory", "note", found, "enough for one job at a time: `snakemake --cores 1`")
    else:
        yield Finding("memory", "ok", found)


def shipped_weights() -> Iterator[Finding]:
    """Those of the package, which the default run reads."""
    names = [name for name in weights.available() if weights.entry(name).get("from", "shipped") == "shipped"]
    if wrong := _wrong_weights(names):
        yield from (Finding("weights", "problem", text, "install the package again") for text in wrong)
    else:
        yield Finding("weights", "ok", f"{', '.join(names)}: SHA-256 as registered")


def other_weights() -> Iterator[Finding]:
    """Those of others: which are here, and whether they are what they should be."""
    names = [name for name in weights.available() if weights.entry(name).get("from", "shipped") != "shipped"]
    here = [name for name in names if weights.is_present(name)]
    for text in _wrong_weights(here):
        yield Finding("weights", "note", text, "rows that need them will stop; delete the file and get it again")
    absent = len(names) - len(here)
    yield Finding(
        "weights",
        "note" if absent else "ok",
        f"of others: {', '.join(here) or 'none'} here" + (f", {absent} not" if absent else ""),
        "rows that need them are `weights_absent`; `aqa weights list`, `aqa weights fetch NAME`" if absent else "",
    )


def _wrong_weights(names: list[str]) -> list[str]:
    found = []
    for name in names:
        try:
            weights.path(name)
        except InputError as error:
            found.append(str(error))
    return found


def mmpose() -> Iterator[Finding]:
    """The environment of mmpose's estimators."""
    interpreter = environments.interpreter("mmpose")
    if not environments.is_present("mmpose"):
        yield Finding(
            "mmpose", "note", f"no {interpreter}", "only estimators of mmpose need it; `make mmpose` makes it"
        )
        return
    answer = _answer(str(interpreter), "-c", "from importlib.metadata import version; print(version('mmpose'))")
    if answer is None or answer.returncode:
        yield Finding("mmpose", "note", f"{interpreter} has no mmpose", "delete the folder and run `make mmpose` again")
    else:
        yield Finding("mmpose", "ok", f"mmpose {answer.stdout.strip()} in {interpreter}")


def slurm() -> Iterator[Finding]:
    """Whether the profile for clusters can work here."""
    commands = ("sbatch", "squeue", "scancel", "scontrol")
    absent = [name for name in commands if shutil.which(name) is None]
    if absent == list(commands):
        yield Finding("slurm", "ok", "not here, so that jobs run on this machine")
        return
    if absent:
        yield Finding("slurm", "note", f"no {', '.join(absent)}", "profiles/slurm needs them; ask for a login node")
        return
    if _installed("snakemake-executor-plugin-slurm") is None:
        yield Finding(
            "slurm", "note", "no snakemake-executor-plugin-slurm", "`pip install snakemake-executor-plugin-slurm`"
        )
    answer = _answer("squeue", "--noheader")
    if answer is None or answer.returncode:
        said = "no answer" if answer is None else _first_line(answer.stderr)
        yield Finding("slurm", "note", f"squeue fails, {said}", "the controller cannot be reached from here")
        return
    told = _answer("scontrol", "show", "config")
    age = re.search(r"MinJobAge\s*=\s*(\d+)", told.stdout if told else "")
    if age and int(age[1]) < 3 * FIRST_STATUS_CHECK:
        yield Finding(
            "slurm",
            "note",
            f"MinJobAge is {age[1]} s",
            f"finished jobs are forgotten before they are asked for; {3 * FIRST_STATUS_CHECK} s or more are needed, or"
            " set slurm-init-seconds-before-status-checks of the profile to a third of it",
        )
    else:
        remembered = f", finished jobs are remembered for {age[1]} s" if age else ""
        yield Finding("slurm", "ok", f"squeue answers{remembered}; `snakemake --profile profiles/slurm`")


def _answer(*command: str) -> subprocess.CompletedProcess | None:
    """What another program says, or None where there is none or it does not answer."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None


def _first_line(text: object) -> str:
    lines = str(text).strip().splitlines()
    return lines[0] if lines else type(text).__name__


def as_json(findings: list[Finding]) -> str:
    """The findings as a JSON list of objects with check, state, found and advice."""
    return json.dumps([vars(finding) for finding in findings], indent=2)
