"""Environments beside the first, for what cannot live in it: `make NAME` makes `.venv-NAME`.

A plugin says that it needs one by a literal constant `environment`.
"""

from __future__ import annotations

from pathlib import Path


def interpreter(name: str) -> Path:
    """Where the Python of an environment is, or would be, under the folder the workflow runs in."""
    return Path(f".venv-{name}") / "bin" / "python"


def is_present(name: str) -> bool:
    """Whether the environment was made to its end."""
    return (Path(f".venv-{name}") / "installed").is_file()
