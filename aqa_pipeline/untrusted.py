"""Files that strangers wrote, read without running anything of theirs: pickles, MATLAB files, spreadsheets, archives,
weights. The only room that unpickles.

Whatever the bytes, the answer is a value of plain types or an InputError that names the file.
"""

from __future__ import annotations

import collections
import io
import pickle
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import mat5
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    from torch import Tensor

LARGEST = 2**28  # bytes of an annotation file, unpacked; the largest of this field has 4 MB

_BUILTINS = {c.__name__: c for c in (set, frozenset, complex, int, float, bool, str, bytes, list, dict, tuple, slice)}
_COLLECTIONS = {"OrderedDict": collections.OrderedDict, "defaultdict": collections.defaultdict}


def read_pickle(path: Path) -> Any:
    """The value in a pickle of builtins, numpy and collections; anything else in it is refused by name.

    A plain `pickle.load` calls whatever function the file names.

    Raises
    ------
    InputError
        The file is missing, broken, or names another class or function.
    """
    data = _bytes(path, "a pickle")
    try:
        return _Unpickler(io.BytesIO(data), path).load()
    except InputError:
        raise
    except (Exception, MemoryError, RecursionError) as error:  # broken bytes raise nearly anything
        raise InputError(f"{path}: cannot be read as a pickle ({_why(error)})") from error


class _Call:
    """A function that a pickle may call; without attributes, so that the pickle can change nothing of it."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable) -> None:
        object.__setattr__(self, "_function", function)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)


def _empty_array(subtype: object, shape: object, kind: object) -> np.ndarray:
    """What numpy pickles begin an array with; the bytes follow, and numpy checks them against the shape."""
    if subtype is not np.ndarray or shape != (0,):
        raise InputError(f"numpy array begins with {subtype!r} of shape {shape!r}, expected an empty array")
    return np.ndarray((0,), "b")


def _dtype(name: object, *_: object) -> np.dtype:
    if not isinstance(name, str):
        raise InputError(f"numpy dtype named by {name!r}, expected a text")
    return np.dtype(name)


def _scalar(dtype: np.dtype, data: object = None) -> Any:
    if dtype.hasobject:
        raise InputError(f"numpy number of dtype {dtype}, expected one of plain bytes")
    return np.frombuffer(data.encode("latin1") if isinstance(data, str) else data, dtype, count=1)[0]


def _from_buffer(data: Any, dtype: np.dtype, shape: Any, order: str) -> np.ndarray:
    if dtype.hasobject:
        raise InputError(f"numpy array of dtype {dtype} in a buffer, expected plain bytes")
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _encoded(text: str, encoding: str) -> bytes:
    """How Python 2 pickles spell bytes."""
    return text.encode(encoding)


def _admitted() -> dict[tuple[str, str], Any]:
    """By module and name; numpy moved its modules in version 2."""
    found: dict[tuple[str, str], Any] = {("_codecs", "encode"): _Call(_encoded)}
    for module in ("builtins", "__builtin__"):
        found |= {(module, name): value for name, value in _BUILTINS.items()}
    found |= {("collections", name): value for name, value in _COLLECTIONS.items()}
    found |= {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): _Call(_dtype)}
    for core in ("numpy.core", "numpy._core"):
        found[f"{core}.multiarray", "_reconstruct"] = _Call(_empty_array)
        found[f"{core}.multiarray", "scalar"] = _Call(_scalar)
        found[f"{core}.numeric", "_frombuffer"] = _Call(_from_buffer)
    return found


_ADMITTED = _admitted()


class _Unpickler(pickle.Unpickler):
    """Admits what `_ADMITTED` names and nothing else."""

    def __init__(self, file: io.BytesIO, path: Path) -> None:
        super().__init__(file)
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise InputError(
                f"{self._path}: the pickle asks for {module}.{name}, expected nothing but builtins, numpy and "
                "collections; it was not run"
            )
        return _ADMITTED[module, name]


def plain(value: Any) -> Any:
    """numpy numbers, also in keys and tuples, as Python's own; arrays and all else as they are."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    if isinstance(value, list):
        return list(map(plain, value))
    if isinstance(value, dict):
        return {plain(key): plain(entry) for key, entry in value.items()}
    return value


def read_mat(path: Path, *names: str) -> dict[str, np.ndarray]:
    """The named arrays of a MATLAB file up to version 7; numbers and text alone.

    Raises
    ------
    InputError
        The file is missing or broken, lacks a name, or holds an object or a function under it.
    """
    data = _bytes(path, f"a MATLAB file with {', '.join(names)}")
    try:
        found = dict(mat5.variables(data, LARGEST))
    except NotImplementedError:
        raise InputError(f"{path}: a MATLAB file of version 7.3, expected version 7 or before") from None
    except (Exception, MemoryError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as a MATLAB file ({_why(error)})") from error
    for name in names:
        if name not in found:
            raise InputError(f"{path}: no variable '{name}', {nearest(name, found)}")
        if found[name] is None:
            raise InputError(f"{path}: '{name}' holds no plain array, expected numbers or text")
    return {name: found[name] for name in names}


def read_xlsx(path: Path) -> list[tuple[Any, ...]]:
    """Cells of the first sheet, row by row: numbers, text, dates or None; formulas by their last value.

    Raises
    ------
    InputError
        The file is missing or broken, unpacks to more than it should, or defines XML entities.
    """
    import openpyxl

    data = _bytes(path, "an xlsx sheet")
    try:
        _expect_plain_xml(path, data)
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        try:
            return [tuple(row) for row in book.worksheets[0].iter_rows(values_only=True)]
        finally:
            book.close()
    except InputError:
        raise
    except (Exception, MemoryError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as an xlsx sheet ({_why(error)})") from error


def _expect_plain_xml(path: Path, data: bytes) -> None:
    """A sheet needs no document type; one that has it can grow to gigabytes or read other files."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        total = sum(member.file_size for member in archive.infolist())
        if total > LARGEST:
            raise InputError(f"{path}: unpacks to {total} bytes, expected {LARGEST} at most")
        for member in archive.infolist():
            if member.filename.endswith((".xml", ".rels")):
                text = archive.read(member)
                if b"<!DOCTYPE" in text or b"<!ENTITY" in text or b"\0" in text:
                    raise InputError(f"{path}: {member.filename} defines a document type, expected plain cells")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, or of a PyTorch checkpoint that holds nothing but tensors, on the CPU.

    A checkpoint's `state_dict`, where it has one, is what is returned.
    """
    import torch
    from safetensors.torch import load_file

    if not Path(path).is_file():
        raise InputError(f"{path}: no such file, expected weights")
    try:
        if Path(path).suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (Exception, MemoryError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as weights without running code ({_why(error)})") from error
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise InputError(f"{path}: holds more than named tensors, expected a state_dict")
    return dict(found)


def unpack(archive: Path, folder: Path) -> int:
    """Unpack a zip or tar archive into a new folder, whole or not at all; the number of files.

    Raises
    ------
    InputError
        Names the member that would land outside the folder, or is no plain file or folder; or the archive is broken,
        the folder exists, or the disk has no room.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists():
        raise InputError(f"{folder}: exists, expected a folder that does not")
    if not archive.is_file():
        raise InputError(f"{archive}: no such archive")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        inside = Path(temporary) / "unpacked"
        inside.mkdir()
        try:
            with _members(archive) as (sizes, copy):
                free = shutil.disk_usage(inside).free
                if sum(sizes.values()) > free:
                    raise InputError(f"{archive}: unpacks to {sum(sizes.values())} bytes, the disk has {free} left")
                for name in sizes:
                    copy(name, _inside(archive, inside, name))
        except InputError:
            raise
        except OSError as error:
            if error.errno is not None:  # the disk, not the archive
                raise
            raise InputError(f"{archive}: cannot be unpacked ({_why(error)})") from error
        except Exception as error:
            raise InputError(f"{archive}: cannot be unpacked ({_why(error)})") from error
        inside.rename(folder)
    return len(sizes)


def _members(archive: Path) -> Any:
    if zipfile.is_zipfile(archive):
        return _zip_members(archive)
    if tarfile.is_tarfile(archive):
        return _tar_members(archive)
    raise InputError(f"{archive}: neither a zip nor a tar archive")


class _zip_members:  # noqa: N801 - used like a function
    """Size by name of the plain files of a zip archive, and a way to copy one out."""

    def __init__(self, archive: Path) -> None:
        self._path, self._file = archive, zipfile.ZipFile(archive)

    def __enter__(self) -> tuple[dict[str, int], Callable[[str, Path], None]]:
        for member in self._file.infolist():
            mode = member.external_attr >> 16
            if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise InputError(f"{self._path}: '{member.filename}' is a link or device, expected files and folders")
        return {m.filename: m.file_size for m in self._file.infolist() if not m.is_dir()}, self._copy

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _copy(self, name: str, to: Path) -> None:
        with self._file.open(name) as source, to.open("wb") as target:
            shutil.copyfileobj(source, target)


class _tar_members(_zip_members):  # noqa: N801
    """As `_zip_members`, of a tar archive, packed or not."""

    def __init__(self, archive: Path) -> None:
        self._path, self._file = archive, tarfile.open(archive)  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> tuple[dict[str, int], Callable[[str, Path], None]]:
        for member in self._file.getmembers():
            if not (member.isreg() or member.isdir()):
                raise InputError(f"{self._path}: '{member.name}' is a link or device, expected files and folders")
        return {m.name: m.size for m in self._file.getmembers() if m.isreg()}, self._copy

    def _copy(self, name: str, to: Path) -> None:
        with self._file.extractfile(name) as source, to.open("wb") as target:
            shutil.copyfileobj(source, target)


def _inside(archive: Path, folder: Path, name: str) -> Path:
    """Where a member goes; its folders are made."""
    parts = Path(name.replace("\\", "/")).parts
    if not parts or ".." in parts or Path(name).is_absolute() or ":" in parts[0] or parts[0] == "/":
        raise InputError(f"{archive}: '{name}' leads out of the folder, expected names inside it; nothing was unpacked")
    path = folder.joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def numbers_of(path: Path, value: Any, what: str) -> Iterator[float]:
    """The numbers of a list or array, each finite; InputError that says what they were to be."""
    entries = np.ravel(value).tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(entries, list | tuple):
        raise InputError(f"{path}: {what}: found {type(value).__name__}, expected numbers")
    for entry in entries:
        if isinstance(entry, bool) or not isinstance(plain(entry), int | float) or not np.isfinite(entry):
            raise InputError(f"{path}: {what}: found {entry!r}, expected a number")
        yield float(entry)


def _bytes(path: Path, expected: str) -> bytes:
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected {expected}")
    size = path.stat().st_size
    if size > LARGEST:
        raise InputError(f"{path}: {size} bytes, expected {LARGEST} at most")
    return path.read_bytes()


def _why(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
