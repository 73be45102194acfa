"""Lay the environment of the interpreter that runs this over another one that stands beside it.

    .venv-mmpose/bin/python envs/layer.py .venv

What is installed in the upper one is found first, all else in the one below. The link is a .pth file relative to the
folder of both, so they can be moved together.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

LINE = (
    "import os, site, sys, sysconfig; site.addsitedir(sysconfig.get_path('purelib', vars={{"
    "k: os.path.join(os.path.dirname(sys.prefix), {below!r}) for k in ('base', 'platbase')}}))\n"
)


def lay_over(below: str) -> None:
    """Write the .pth file into the site-packages of this interpreter."""
    if not (Path(sys.prefix).parent / below / "pyvenv.cfg").is_file():
        sys.exit(f"{below}: no virtual environment beside {sys.prefix}")
    Path(sysconfig.get_path("purelib"), "layer.pth").write_text(LINE.format(below=below))


if __name__ == "__main__":
    lay_over(*sys.argv[1:])
