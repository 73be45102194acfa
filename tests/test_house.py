"""What keeps the files of the house in step with each other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from aqa_pipeline import config, plugins

ROOT = Path(__file__).parents[1]


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().split()
    return {name.lower(): version for name, version in (line.split("==") for line in lines)}


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_environments_pin_the_locked_versions(path):
    pins = next(entry["pip"] for entry in yaml.safe_load(path.read_text())["dependencies"] if isinstance(entry, dict))
    versions = locked()
    assert {pin: versions[pin.split("==")[0]] for pin in pins} == {pin: pin.split("==")[1] for pin in pins}


def test_every_dependency_is_locked():
    text = (ROOT / "pyproject.toml").read_text()
    named = re.findall(r'"([a-z0-9-]+)>=', text)
    assert [name for name in named if name not in locked() and name != "setuptools"] == []


def test_the_schema_for_editors_is_in_step_with_the_models():
    assert json.loads((ROOT / "workflow/schemas/config.schema.json").read_text()) == json.loads(config.schema())


@pytest.mark.parametrize("name", plugins.available("stages"))
def test_every_stage_has_help_and_starts_without_heavy_imports(name):
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['{name}', '--help']\n"
        "try:\n"
        f"    runpy.run_module('aqa_pipeline.stages.{name}', run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code, stop.code\n"
        "heavy = {'torch', 'cv2', 'sklearn', 'matplotlib', 'mmpose'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    assert "Usage" in answer.stdout
