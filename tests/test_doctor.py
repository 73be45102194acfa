"""What `aqa doctor` finds on this machine, and on machines that lack something."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aqa_pipeline import cli, doctor

CHECKS = ["python", "packages", "snakemake", "torch", "gpu", "codecs", "disk", "memory", "weights", "mmpose", "slurm"]


def test_this_machine_can_make_the_default_run(tmp_path):
    command = [sys.executable, "-m", "aqa_pipeline.cli", "doctor", "--results", str(tmp_path / "results"), "--json"]
    answer = subprocess.run(command, capture_output=True, text=True)
    found = json.loads(answer.stdout)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert list(dict.fromkeys(finding["check"] for finding in found)) == CHECKS
    assert {finding["state"] for finding in found} <= {"ok", "note"}
    assert [finding for finding in found if (finding["state"] == "ok") != (finding["advice"] == "")] == []
    assert not (tmp_path / "results").exists()


def test_a_problem_is_a_line_and_exit_status_1():
    answer = CliRunner().invoke(cli.app, ["doctor", "--results", "/proc/results"])
    assert answer.exit_code == 1
    [line] = [line for line in answer.output.splitlines() if line.startswith("problem")]
    assert line.split(maxsplit=2)[1] == "disk"
    assert line.endswith("choose a folder of your own")


def test_a_film_that_cannot_be_written_or_read_is_told(tmp_path):
    assert doctor._round_trip(tmp_path / "good.mp4", "mp4v") == ""
    assert doctor._round_trip(tmp_path / "bad.mp4", "????") == "OpenCV cannot write it"
    spoilt = tmp_path / "spoilt.mp4"
    shutil.copy(tmp_path / "good.mp4", spoilt)
    os.truncate(spoilt, spoilt.stat().st_size // 2)
    assert str(spoilt) in doctor._tried(lambda: doctor._levels_differ(spoilt))


def test_other_versions_than_the_locked_ones_are_a_note(tmp_path, monkeypatch):
    (tmp_path / "requirements.lock").write_text(
        "numpy==0.1\nno-such-package==1.0\npandas==" + _version("pandas") + "\n"
    )
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    [finding] = doctor.packages()
    assert (finding.state, finding.found) == ("note", f"not as locked: numpy {_version('numpy')} for 0.1")
    (tmp_path / "requirements.lock").write_text("no-such-package==1.0\npandas==" + _version("pandas") + "\n")
    [finding] = doctor.packages()
    assert (finding.state, finding.found) == ("note", "1 of 2 as locked, without no-such-package")


def test_what_the_package_asks_for_and_is_not_there_is_a_problem(monkeypatch):
    monkeypatch.setattr(
        doctor.importlib.metadata, "requires", lambda _: ["numpy>=99", "no-such-package>=1", "a; extra=='b'"]
    )
    found = [finding.found for finding in doctor.packages() if finding.state == "problem"]
    assert found == [f"numpy {_version('numpy')}, needed is >=99", "no no-such-package"]


def test_another_snakemake_on_the_path_is_a_note(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    command, folder = doctor.snakemake()
    assert (command.state, command.found) == ("note", "on the path: none")
    assert folder.found == f"no Snakefile in {tmp_path}"


def test_weights_that_are_not_what_they_should_be_are_a_note(tmp_path, monkeypatch):
    (tmp_path / "c3d_sports1m_pretrain_20201016-dcc47ddc.pth").write_bytes(b"something else")
    monkeypatch.setenv("AQA_WEIGHTS", str(tmp_path))
    wrong, *_ = doctor.other_weights()
    assert wrong.state == "note"
    assert wrong.found.startswith("weights 'c3d_sports1m': ")
    assert "expected dcc47ddc" in wrong.found


def test_an_environment_without_mmpose_is_a_note(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [absent] = doctor.mmpose()
    assert absent.advice.endswith("`make mmpose` makes it")
    (tmp_path / ".venv-mmpose/bin").mkdir(parents=True)
    (tmp_path / ".venv-mmpose/installed").touch()
    (tmp_path / ".venv-mmpose/bin/python").symlink_to(sys.executable)
    [broken] = doctor.mmpose()
    assert broken.found.endswith("has no mmpose")


@pytest.mark.parametrize(
    ("squeue", "age", "state", "words"),
    [
        ("exit 0", 300, "ok", "finished jobs are remembered for 300 s"),
        ("exit 0", 10, "note", "MinJobAge is 10 s"),
        ("echo 'no such cluster' >&2; exit 1", 300, "note", "squeue fails, no such cluster"),
    ],
)
def test_slurm_is_asked_by_its_commands(tmp_path, monkeypatch, squeue, age, state, words):
    scripts = {"squeue": squeue, "scontrol": f"echo 'MinJobAge               = {age} sec'"}
    for name in ("sbatch", "scancel", "squeue", "scontrol"):
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\n{scripts.get(name, '')}\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    *_, finding = doctor.slurm()
    assert finding.state == state
    assert words in finding.found
    (tmp_path / "scontrol").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    [finding] = doctor.slurm()
    assert finding.found == "no scontrol"


def test_without_slurm_nothing_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    [finding] = doctor.slurm()
    assert finding.state == "ok"


def _version(name: str) -> str:
    return doctor._installed(name)


def test_the_folder_above_is_looked_at_where_the_results_are_not_yet(tmp_path):
    room, temporary = doctor.disk(tmp_path / "a" / "b")
    assert f"in {tmp_path}" in room.found
    assert Path(temporary.found.split(" in ")[-1]).is_dir()
