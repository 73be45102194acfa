"""HDF5 stores: one file a shard, one group a video, named arrays in it. The only room that knows h5py.

Layout of a file::

    attributes           format (of this layout), kind, version (of the stage), made_by (JSON: options, weights ...)
    videos/<video id>    a group with the arrays of one video, and small facts of it (fps, size) as attributes
    failures/<video id>  attributes `stage` and `reason`: a video left out, carried along to every later store

A store is written under a temporary name and renamed when it is whole, so a file that exists can be trusted.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import numpy as np

from aqa_pipeline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1  # of the layout above


class Reader:
    """Read access to an open store; see `read`."""

    def __init__(self, file: Any, path: Path) -> None:
        self._opened, self._opened_by = file, os.getpid()
        self._videos, self._last = file["videos"], ((), None)
        self.path = path
        self.kind, self.version = str(file.attrs["kind"]), int(file.attrs["version"])
        self.made_by: dict[str, Any] = json.loads(file.attrs["made_by"])

    @property
    def recipe(self) -> dict[str, Any]:
        """How the store was made: `made_by`, which holds the recipes of its inputs, with the stage's version."""
        return {**self.made_by, "version": self.version}

    @property
    def _file(self) -> Any:
        """The open file; a forked process opens it anew, as it must not share the state that HDF5 keeps of it."""
        if self._opened_by != os.getpid():
            import h5py

            self._of_parent = self._opened, self._videos, self._last  # kept, or they would be closed
            self._opened, self._opened_by = h5py.File(self.path, "r"), os.getpid()
            self._videos, self._last = self._opened["videos"], ((), None)
        return self._opened

    @property
    def _groups(self) -> Any:
        """The groups of the videos, opened once: by name from the file each takes as long as reading an array."""
        return self._file and self._videos

    def __iter__(self) -> Iterator[str]:
        return (unquote(name) for name in self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def __contains__(self, video_id: str) -> bool:
        return _name(video_id) in self._groups

    def _group(self, video_id: str) -> Any:
        try:
            return self._groups[_name(video_id)]
        except KeyError as error:
            raise InputError(f"{self.path}: holds no video '{video_id}'") from error

    def __getitem__(self, video_id: str) -> dict[str, np.ndarray]:
        """All arrays of one video by name."""
        return {name: dataset[()] for name, dataset in self._group(video_id).items()}

    def names(self, video_id: str, *wanted: str) -> list[str]:
        """Which of the wanted arrays one video has, in that order."""
        group = self._group(video_id)
        return [name for name in wanted if name in group]

    def array(self, video_id: str, name: str, rows: Any = ()) -> np.ndarray:
        """One array of one video, or only the given `rows` of it (a slice or sorted indices)."""
        return self._dataset(video_id, name)[rows]

    def _dataset(self, video_id: str, name: str) -> Any:
        """One array in the file; the last stays open, for the pictures of a clip are asked for one by one."""
        asked = os.getpid(), video_id, name
        of, dataset = self._last
        if of != asked:
            group = self._group(video_id)
            try:
                dataset = group[name]
            except KeyError as error:
                raise InputError(f"{self.path}: video '{video_id}' has {sorted(group)}, expected '{name}'") from error
            self._last = asked, dataset
        return dataset

    def optional(self, video_id: str, name: str, default: Any = ()) -> Any:
        """One array of one video, or `default` where the store holds no such video or array."""
        return self.array(video_id, name) if video_id in self and name in self._group(video_id) else default

    def facts(self, video_id: str) -> dict[str, Any]:
        """Small facts of one video: fps, width, height, keypoint set ..."""
        return {name: _plain(value) for name, value in self._group(video_id).attrs.items()}

    @property
    def failures(self) -> dict[str, tuple[str, str]]:
        """Videos left out so far: id -> (stage, reason)."""
        groups = self._file["failures"].items()
        return {unquote(name): (str(g.attrs["stage"]), str(g.attrs["reason"])) for name, g in groups}


class Writer:
    """Write access to a store in the making; see `write`."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def put(self, video_id: str, arrays: Mapping[str, np.ndarray], **facts: Any) -> None:
        """Add one video: its arrays by name and its small facts."""
        group = self._file["videos"].create_group(_name(video_id))
        for name, array in arrays.items():
            array = np.asarray(array)
            # Masks become 40 times smaller at the first level; 60 times at the fourth, in four times the time. All else
            # is small, or noise.
            squeezed = dict(compression="gzip", compression_opts=1) if array.dtype == bool and array.size > 4096 else {}
            group.create_dataset(name, data=array, **squeezed)
        group.attrs.update(facts)

    def fail(self, video_id: str, stage: str, reason: str) -> None:
        """Record that a video was left out, and why."""
        self._file["failures"].create_group(_name(video_id)).attrs.update(stage=stage, reason=reason)

    def carry_failures(self, *stores: Reader) -> None:
        """Repeat the failures of the stores this one is made from."""
        for video_id, (stage, reason) in {k: v for store in stores for k, v in store.failures.items()}.items():
            if _name(video_id) not in self._file["failures"]:
                self.fail(video_id, stage, reason)


@contextlib.contextmanager
def read(path: Path, *, kind: str, version: int | None = None) -> Iterator[Reader]:
    """Open a store of the given kind; a wrong kind, version or a damaged file is an InputError."""
    import h5py

    if not Path(path).is_file():
        raise InputError(f"{path}: no such store, expected {kind} in HDF5")
    try:
        file = h5py.File(path, "r")
        found, found_version = file.attrs["kind"], int(file.attrs["version"])
        layout = int(file.attrs["format"])
    except (OSError, KeyError) as error:
        raise InputError(
            f"{path}: damaged or not a store of ours, expected {kind} in HDF5; delete it to make it again"
        ) from error
    with file:
        if layout != FORMAT:
            raise InputError(f"{path}: a store of format {layout}, expected {FORMAT}; delete it to make it again")
        if found != kind:
            raise InputError(f"{path}: holds {found}, expected {kind}")
        if version is not None and found_version != version:
            raise InputError(
                f"{path}: {kind} of version {found_version}, expected {version}; delete it to make it again"
            )
        yield Reader(file, Path(path))


def recipe(path: Path) -> dict[str, Any]:
    """`Reader.recipe` of a store of any kind."""
    with read(path, kind=kind(path)) as store:
        return store.recipe


def kind(path: Path) -> str:
    """What a store holds: frames, boxes, keypoints ...; InputError where it is none of ours."""
    import h5py

    if not Path(path).is_file():
        raise InputError(f"{path}: no such store, expected HDF5")
    try:
        with h5py.File(path, "r") as file:
            return str(file.attrs["kind"])
    except (OSError, KeyError) as error:
        raise InputError(f"{path}: damaged or not a store of ours") from error


@contextlib.contextmanager
def write(path: Path, *, kind: str, version: int, made_by: Mapping[str, Any]) -> Iterator[Writer]:
    """Make a store; it appears under its name only when the block ends without an error."""
    import h5py

    # Written through a Python file: when HDF5 itself meets a full disk it can crash the process at closing.
    with replacing(path) as temporary, open(temporary, "w+b") as raw, h5py.File(raw, "w") as file:
        file.attrs.update(
            format=FORMAT, kind=kind, version=version, made_by=json.dumps(dict(made_by), sort_keys=True, default=str)
        )
        file.create_group("videos")
        file.create_group("failures")
        yield Writer(file)


def read_table(path: Path, **options: Any) -> pd.DataFrame:
    """A table that a stage wrote as parquet, with options of `pandas.read_parquet`; a damaged one is an InputError."""
    import pandas as pd

    if not Path(path).is_file():
        raise InputError(f"{path}: no such table, expected parquet")
    try:
        return pd.read_parquet(path, **options)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: damaged or not a parquet file; delete it to make it again") from error


@contextlib.contextmanager
def replacing(path: Path, *, suffix: str = "") -> Iterator[Path]:
    """A temporary name beside `path` that replaces it when the block ends well, and is removed otherwise.

    The name ends in `suffix`, for libraries that tell the format by it. Where the system says no (full, read-only), its
    OSError names `path`, which not every library does.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part{suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        with contextlib.suppress(OSError):  # a folder that is read-only or gone has nothing to take away
            temporary.unlink()


def _sweep(path: Path) -> None:
    """Take away what processes that were killed left beside `path`."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part*"):
        process = left.name.removeprefix(f".{path.name}.").partition(".")[0]
        if process.isdigit() and not Path(f"/proc/{process}").exists() and Path("/proc/self").exists():
            left.unlink(missing_ok=True)


def _name(video_id: str) -> str:
    return quote(video_id, safe="")  # a slash would open a group of its own


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
