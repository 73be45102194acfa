"""Snakemake does not see edits inside the package; this notices a stage whose code changed while its VERSION did not.

When it fails: raise `VERSION` in the stage if what it writes changed, and in any case record the new state with
`python tests/stages/test_versions.py`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from functools import cache
from pathlib import Path

import pytest

from aqa_pipeline import plugins

PACKAGE = Path(plugins.__file__).parent
RECORDED = Path(__file__).with_name("versions.json")
PYTHON = "3.11"  # other versions spell the same tree differently
IGNORED = {"errors", "plugins", "stages", "cli", "config"}  # they carry a stage, and write nothing of what it writes


@cache
def tree(path: Path) -> ast.Module:
    """The module without its docstrings."""
    module = ast.parse(path.read_text())
    for node in ast.walk(module):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            text = getattr(body[0].value, "value", None)
            if isinstance(text, str):
                body[0].value = ast.Constant("")
    return module


def leans_on(path: Path) -> set[Path]:
    """Files of the package that a file imports, anywhere in it, and all plugins of the rooms it loads from."""
    found: set[Path] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aqa_pipeline"):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            found.update(file for name in names if (file := file_of(name)))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "load" and len(node.args) == 2:
            room = getattr(node.args[0], "value", None)
            if isinstance(room, str) and (PACKAGE / room).is_dir():
                found.update((PACKAGE / room).glob("*.py"))
    return found


def file_of(module: str) -> Path | None:
    parts = module.split(".")[1:]
    if not parts or parts[0] in IGNORED:
        return None
    path = PACKAGE.joinpath(*parts)
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def fingerprint(stage: str) -> str:
    """Hash of the code of a stage and everything it leans on."""
    waiting, known = [PACKAGE / "stages" / f"{stage}.py"], set()
    while waiting:
        path = waiting.pop()
        if path not in known:
            known.add(path)
            waiting += leans_on(path)
    text = "\n".join(f"{path.relative_to(PACKAGE)}\n{ast.unparse(tree(path))}" for path in sorted(known))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def state(stage: str) -> dict:
    return {"version": plugins.constant("stages", stage, "VERSION"), "fingerprint": fingerprint(stage)}


@pytest.mark.skipif(f"{sys.version_info[0]}.{sys.version_info[1]}" != PYTHON, reason=f"recorded with Python {PYTHON}")
@pytest.mark.parametrize("stage", plugins.available("stages"))
def test_a_changed_stage_was_looked_at(stage):
    recorded = json.loads(RECORDED.read_text()).get(stage)
    assert recorded == state(stage), f"{stage}: {__doc__}"


def test_every_stage_carries_a_version():
    versions = {stage: plugins.constant("stages", stage, "VERSION") for stage in plugins.available("stages")}
    assert [stage for stage, version in versions.items() if not isinstance(version, int)] == []


def test_comments_and_docstrings_do_not_count(tmp_path):
    (tmp_path / "a.py").write_text('"""One."""\nx = 1\ndef f():\n    """Doc."""\n    return 2\n')
    (tmp_path / "b.py").write_text('"""Two."""\n# why\nx = 1\n\ndef f():\n    """Other."""\n    return 2\n')
    (tmp_path / "c.py").write_text('"""Two."""\nx = 1\n\ndef f():\n    """Other."""\n    return 3\n')
    a, b, c = (ast.unparse(tree(tmp_path / name)) for name in ("a.py", "b.py", "c.py"))
    assert a == b != c


if __name__ == "__main__":
    states = {stage: state(stage) for stage in plugins.available("stages")}
    RECORDED.write_text(json.dumps(states, indent=2) + "\n")
