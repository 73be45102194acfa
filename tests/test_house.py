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


def locked(*names: str) -> dict[str, str]:
    """Versions by name; of a package in several files that of the last."""
    lines = [line for name in names for line in (ROOT / f"{name}.lock").read_text().split()]
    return {name.lower(): version for name, version in (line.split("==") for line in lines)}


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_environments_pin_the_locked_versions(path):
    pins = next(entry["pip"] for entry in yaml.safe_load(path.read_text())["dependencies"] if isinstance(entry, dict))
    versions = locked("requirements", *(["requirements-mmpose"] if path.stem == "mmpose" else []))
    assert {pin: versions[pin.split("==")[0]] for pin in pins} == {pin: pin.split("==")[1] for pin in pins}


def test_what_is_installed_after_mmpose_yaml_is_locked():
    """Between the environment file and its script all of both locks is installed, each package once."""
    script = (ROOT / "envs/mmpose.post-deploy.sh").read_text()
    pins = next(
        e["pip"]
        for e in yaml.safe_load((ROOT / "envs/mmpose.yaml").read_text())["dependencies"]
        if "pip" in e and isinstance(e, dict)
    )
    found = dict(pin.split("==") for pin in re.findall(r"[a-z-]+==[0-9.]+", script))
    own = locked("requirements-mmpose", "requirements-mmpose-from-source")
    assert found == {name: version for name, version in own.items() if name.startswith(("mm", "xtcocotools"))}
    assert own.keys() - found.keys() <= {pin.split("==")[0] for pin in pins}


@pytest.mark.parametrize(("environment", "packages"), [("pose", None), ("train", {"timm", "torchvision"})])
def test_what_is_installed_after_an_environment_is_locked(environment, packages):
    """All of what is locked without dependencies, or some of it."""
    script = (ROOT / f"envs/{environment}.post-deploy.sh").read_text()
    found = dict(pin.split("==") for pin in re.findall(r"[a-z-]+==[0-9.]+", script))
    own = locked("requirements-no-deps")
    assert found == {name: own[name] for name in packages or own}


def test_every_dependency_is_locked():
    text = (ROOT / "pyproject.toml").read_text()
    named = re.findall(r'"([a-z0-9-]+)>=', text)
    assert [name for name in named if name not in locked("requirements") and name != "setuptools"] == []


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
