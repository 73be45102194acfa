"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The fast ones first; side by side the long ones, so that none of them is left over at the end."""

    def length(item: pytest.Item) -> int:
        return sum(item.get_closest_marker(name) is not None for name in ("slow", "slurm"))

    items.sort(key=length, reverse=hasattr(config, "workerinput"))


@pytest.fixture
def realdata() -> Path:
    """The folder with real data sets, where the machine has them."""
    folder = os.environ.get("AQA_REALDATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("AQA_REALDATA names no folder with real data sets")
    return Path(folder)


@pytest.fixture
def video(tmp_path: Path):
    """Makes a small mp4 whose frame number can be read off its brightness: frame i has level 20 + 15 i."""
    import cv2

    def make(name: str = "clip.mp4", n_frames: int = 13, width: int = 48, height: int = 32, fps: float = 20.0) -> Path:
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, (width, height))
        for i in range(n_frames):
            writer.write(np.full((height, width, 3), (20 + 15 * i) % 256, np.uint8))
        writer.release()
        return path

    return make


@pytest.fixture(scope="session")
def released():
    """Writes a tiny data set as its authors would have released it into a folder. See `tests/releases/`."""

    def write(name: str, root: Path, **options) -> Path:
        path = Path(__file__).parent / "releases" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"releases_{name}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        root.mkdir(parents=True, exist_ok=True)
        module.write(root, **options)
        return root

    return write


@pytest.fixture
def release(released, tmp_path: Path):
    """`released` into a folder of the test's own; gives the folder."""

    def write(name: str, folder: Path | None = None, **options) -> Path:
        return released(name, folder or tmp_path / name, **options)

    return write
