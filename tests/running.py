"""Running the real Snakemake on a copy of the house, so that results land in a folder of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLES = "results/tables.csv"
HOUSE = ["Snakefile", "config.yaml", "workflow", "profiles", "envs", "experiments", "aqa_pipeline"]


def clone(folder: Path) -> Path:
    """A copy of the files a run needs, so that results land in a folder of the test's own."""
    folder.mkdir()
    for name in HOUSE:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    shutil.copy(ROOT / "tests" / "tiny.yaml", folder / "tiny.yaml")
    return folder


def command(*arguments: str, configfile: str = "tiny.yaml") -> list[str]:
    return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", *configfile.split()]


def environment() -> dict[str, str]:
    """This one as it is before an environment is activated: the workflow must find its interpreter by itself."""
    own = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != own)}


def snakemake(folder: Path, *arguments: str, configfile: str = "tiny.yaml") -> subprocess.CompletedProcess:
    """Run it; several files to lay over config.yaml are parted by blanks."""
    return subprocess.run(
        command(*arguments, configfile=configfile),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=400,
    )


def good(answer: subprocess.CompletedProcess) -> subprocess.CompletedProcess:
    assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr[-8000:]
    return answer
