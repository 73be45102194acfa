"""Files that strangers wrote, read without running anything of theirs: pickles, MATLAB files, spreadsheets, arrays, CSV
and JSON files, archives, weights. The only room that unpickles.

Whatever the bytes, the answer is a value of plain types or an InputError that names the file.
"""

from __future__ import annotations

import collections
import csv
import errno
import io
import json
import math
import pickle
import reprlib
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from aqa_pipeline import mat5
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    from torch import Tensor

LARGEST = 2**28  # bytes of an annotation file, unpacked; the largest of this field has 4 MB

DEEPEST = 50  # lists within lists of an annotation file; the deepest of this field has 4
MOST_CELLS = 2**22  # of a spreadsheet, empty ones too; the largest of this field has a fourth of it


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
        value = _Unpickler(io.BytesIO(data), path).load()
    except InputError:
        raise
    except (Exception, MemoryError, RecursionError) as error:  # broken bytes raise nearly anything
        raise InputError(f"{path}: cannot be read as a pickle ({_why(error)})") from error
    _expect_shallow(path, value, {}, 0)
    return value


def _expect_shallow(path: Path, value: Any, seen: dict[int, bool], depth: int) -> None:
    """A value that holds itself, or goes too deep, would send whoever walks it round in circles."""
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        entries = value.ravel().tolist()
    elif isinstance(value, dict):
        entries = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        entries = list(value)
    else:
        return
    if id(value) not in seen and depth <= DEEPEST:
        seen[id(value)] = False
        for entry in entries:
            _expect_shallow(path, entry, seen, depth + 1)
        seen[id(value)] = True
    if not seen.get(id(value)):
        raise InputError(f"{path}: the pickle is nested more than {DEEPEST} deep or holds itself, expected plain data")


class _Call:
    """A function that a pickle may call; without attributes, so that the pickle can change nothing of it."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable) -> None:
        object.__setattr__(self, "_function", function)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)


_NDARRAY = object()  # stands for the class numpy.ndarray, which a pickle names and must not call


def _empty_array(subtype: object, shape: object, kind: object) -> np.ndarray:
    """What numpy pickles begin an array with; `_set_array` fills it."""
    if subtype is not _NDARRAY or shape != (0,):
        raise pickle.UnpicklingError(f"numpy array begins with a {type(subtype).__name__}, expected an empty array")
    return np.ndarray((0,), "b")


def _set_array(array: np.ndarray, state: Any) -> None:
    """Give an empty array the shape, type and contents of a pickle's state, if they fit each other."""
    shape, dtype, fortran, data = state[-4:]
    if not all(isinstance(length, int) and length >= 0 for length in shape):
        raise pickle.UnpicklingError(f"numpy array of shape {shown(shape)}")
    count = math.prod(shape)
    if isinstance(data, str):  # Python 2
        data = data.encode("latin1")
    fits = isinstance(data, list) if dtype.hasobject else isinstance(data, bytes)
    if array.size or not fits or len(data) != (count if dtype.hasobject else count * dtype.itemsize):
        raise pickle.UnpicklingError(f"numpy array of shape {shown(shape)} and type {dtype} with other contents")
    array.__setstate__((1, shape, dtype, bool(fortran), data))


def _dtype(name: object, *_: object) -> np.dtype:
    """A dtype of the pickle's own, since the state that follows changes it in place."""
    dtype = np.dtype(name, copy=True) if isinstance(name, str) else None
    if dtype is None or dtype.kind not in "biufcSUO":
        raise pickle.UnpicklingError(f"numpy dtype {shown(name)}, expected numbers, text or objects")
    return dtype


def _set_dtype(dtype: np.dtype, state: Any) -> None:
    """Nothing but the order of bytes: with fields or flags of a stranger, numpy would take numbers for addresses."""
    order, *structure = state[1:5]
    if any(part is not None for part in structure):
        raise pickle.UnpicklingError("numpy dtype with fields, expected numbers, text or objects")
    if order in ("<", ">") and dtype.byteorder != "|":
        _, _, *own = dtype.__reduce__()[2]
        dtype.__setstate__((3, order, *own))


def _scalar(dtype: np.dtype, data: object = None) -> Any:
    if dtype.hasobject:
        raise pickle.UnpicklingError(f"numpy number of dtype {dtype}, expected one of plain bytes")
    return np.frombuffer(data.encode("latin1") if isinstance(data, str) else data, dtype, count=1)[0]


def _from_buffer(data: Any, dtype: np.dtype, shape: Any, order: str, axes: Any = None) -> np.ndarray:
    if dtype.hasobject:
        raise pickle.UnpicklingError(f"numpy array of dtype {dtype} in a buffer, expected plain bytes")
    array = np.frombuffer(data, dtype)
    return array.reshape(shape, order=order) if axes is None else array.reshape(shape).transpose(axes)


def _encoded(text: str, encoding: str) -> bytes:
    """How Python 2 pickles spell bytes; other encodings can take hours."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes encoded as {encoding!r:.20}, expected latin1")
    return text.encode("latin1")


def _bytes_by(kind: type) -> Callable:
    def make(data: Any = b"", encoding: str = "latin1") -> Any:
        if isinstance(data, str):
            return kind(_encoded(data, encoding))
        if not isinstance(data, bytes | bytearray):  # a number would ask for that many bytes
            raise pickle.UnpicklingError(f"{kind.__name__} of {shown(data)}, expected bytes")
        return kind(data)

    return make


def _admitted() -> dict[tuple[str, str], Any]:
    """By module and name; numpy moved its modules in version 2."""
    found: dict[tuple[str, str], Any] = {("_codecs", "encode"): _Call(_encoded)}
    made = {"bytes": _bytes_by(bytes), "bytearray": _bytes_by(bytearray)}
    made |= {kind.__name__: kind for kind in (set, frozenset, complex, slice)}
    # As default factories; called with arguments they could grow without bound.
    made |= {kind.__name__: lambda kind=kind: kind() for kind in (int, float, bool, str, list, dict, tuple)}
    for module in ("builtins", "__builtin__"):
        found |= {(module, name): _Call(function) for name, function in made.items()}
    for kind in (collections.OrderedDict, collections.defaultdict):
        found["collections", kind.__name__] = _Call(kind)
    found |= {("numpy", "ndarray"): _NDARRAY, ("numpy", "dtype"): _Call(_dtype)}
    for core in ("numpy.core", "numpy._core"):
        found[f"{core}.multiarray", "_reconstruct"] = _Call(_empty_array)
        found[f"{core}.multiarray", "scalar"] = _Call(_scalar)
        found[f"{core}.numeric", "_frombuffer"] = _Call(_from_buffer)
    return found


_ADMITTED = _admitted()


class _Unpickler(pickle._Unpickler):
    """Admits what `_ADMITTED` names and nothing else.

    It is the unpickler in Python, since single steps of that in C cannot be replaced: there numpy itself would set the
    state of a dtype or an array, and believe it.
    """

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: io.BytesIO, path: Path) -> None:
        super().__init__(file, encoding="latin1")  # bytes that Python 2 wrote
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise InputError(
                f"{self._path}: the pickle asks for {module:.60}.{name:.60}, expected nothing but builtins, numpy and "
                "collections; it was not run"
            )
        return _ADMITTED[module, name]

    def load_build(self) -> None:
        state, value = self.stack.pop(), self.stack[-1]
        if isinstance(value, np.dtype):
            _set_dtype(value, state)
        elif isinstance(value, np.ndarray):
            _set_array(value, state)
        else:
            raise InputError(f"{self._path}: the pickle changes a {type(value).__name__}, expected numpy arrays alone")

    def load_bytearray8(self) -> None:
        size = int.from_bytes(self.read(8), "little")  # the original makes room before it looks
        self.append(bytearray(self.read(size)))

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


def plain(value: Any) -> Any:
    """numpy numbers, also in keys and tuples, as Python's own; arrays and all else as they are.

    What stands in several places stays one value.
    """
    return _plain(value, {})


def _plain(value: Any, done: dict[int, Any]) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, tuple | list | dict):
        return value
    if id(value) not in done:
        if isinstance(value, dict):
            done[id(value)] = {_plain(key, done): _plain(entry, done) for key, entry in value.items()}
        else:
            entries = [_plain(entry, done) for entry in value]
            done[id(value)] = tuple(entries) if isinstance(value, tuple) else entries
    return done[id(value)]


def shown(value: Any) -> str:
    """A stranger's value on one short line, however large it is."""
    return f"{' '.join(reprlib.repr(value).split()):.80}"


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
            return _cells(path, book.worksheets[0].iter_rows(values_only=True))
        finally:
            book.close()
    except InputError:
        raise
    except (Exception, MemoryError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as an xlsx sheet ({_why(error)})") from error


def _cells(path: Path, rows: Iterator[tuple]) -> list[tuple[Any, ...]]:
    """All rows; a sheet of a few letters may claim a million rows of sixteen thousand columns."""
    found, count = [], 0
    for row in rows:
        count += len(row)
        if count > MOST_CELLS:
            raise InputError(f"{path}: more than {MOST_CELLS} cells, expected a sheet of annotations")
        found.append(tuple(row))
    return found


def _expect_plain_xml(path: Path, data: bytes) -> None:
    """A sheet needs no document type; one that has it can grow to gigabytes or read other files."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        total = sum(member.file_size for member in archive.infolist())
        if total > LARGEST:
            raise InputError(f"{path}: unpacks to {total} bytes, expected {LARGEST} at most")
        for member in archive.infolist():
            text = archive.read(member).replace(b"\0", b"")  # in UTF-16 every other byte
            if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
                raise InputError(f"{path}: {member.filename} defines a document type, expected plain cells")


def read_json(path: Path) -> Any:
    """The value in a JSON file; InputError where it is missing or broken."""
    try:
        return json.loads(_bytes(path, "a JSON file"))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({_why(error)})") from error


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an npz file by name, none of them objects; InputError where it is missing or broken."""
    try:
        with np.load(io.BytesIO(_bytes(path, "an npz file")), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except InputError:
        raise
    except Exception as error:  # zip, zlib, header and pickle errors differ from version to version
        raise InputError(f"{path}: cannot be read as an npz file without pickles ({_why(error)})") from error


def read_csv(path: Path, columns: Sequence[str]) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Header, and row number and cells by column of every row that is not empty.

    Rows are counted as a spreadsheet does, the header is row 1; `columns` are those that must be there.
    """
    try:
        text = _bytes(path, "a CSV file").decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({_why(error)})") from None
    header = [cell.strip() for cell in lines[0]] if lines else []
    for column in columns:
        if header.count(column) != 1:
            raise InputError(f"{path}: row 1: found {shown(header)}, expected one column '{column}'")
    rows = [(number, cells) for number, cells in enumerate(lines[1:], start=2) if any(cells)]
    for number, cells in rows:
        if len(cells) != len(header):
            raise InputError(f"{path}: row {number}: found {len(cells)} cells, expected {len(header)}")
    return header, [(n, dict(zip(header, (cell.strip() for cell in cells), strict=True))) for n, cells in rows]


def array_of(path: Path, values: Any, what: str) -> np.ndarray:
    """An even array of numbers, float64; InputError that says what they were to be."""
    try:
        if getattr(values, "dtype", np.dtype(float)).kind not in "fiub":
            raise TypeError(f"values of type {values.dtype}")
        return np.array(values, dtype=float)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(f"{path}: {what} are no even array of numbers ({_why(error)})") from error


def index_of(path: Path, row: int, column: str, text: str, *, most: int) -> int:
    """A whole number from 0 to below `most` in a cell."""
    if text.isascii() and text.isdigit() and len(text) < 12 and int(text) < most:
        return int(text)
    raise InputError(f"{path}: row {row}, column {column}: found {text!r:.40}, expected a whole number from 0")


def number_of(path: Path, row: int, column: str, text: str) -> float:
    """A number in a cell, NaN where it is empty."""
    try:
        return float(text) if text else math.nan
    except ValueError:
        raise InputError(f"{path}: row {row}, column {column}: found {text!r:.40}, expected a number") from None


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, or of a PyTorch checkpoint, on the CPU.

    A checkpoint's `state_dict`, where it has one, is what is returned. What else lies beside it is not made: in the
    place of every object but tensors and plain values there is an empty shell, and nothing of a stranger's is called.
    """
    found = _checkpoint(path)
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not _is_state_dict(found):
        raise InputError(f"{path}: holds more than named tensors, expected a state_dict")
    return dict(found)


def read_state_dicts(path: Path) -> tuple[dict[str, dict[str, Tensor]], list[str]]:
    """The state dicts of a checkpoint that holds several by name, on the CPU, and the names of what else it holds.

    Read as `read_weights` reads: an optimiser's state, settings and figures are passed over.
    """
    found = _checkpoint(path)
    if not isinstance(found, dict) or _is_state_dict(found):
        raise InputError(f"{path}: holds no state dicts by name, expected the checkpoint of a system's released code")
    parts = {str(name): dict(value) for name, value in found.items() if _is_state_dict(value)}
    return parts, sorted(str(name) for name in found if str(name) not in parts)


def _is_state_dict(value: Any) -> bool:
    import torch

    return isinstance(value, dict) and all(isinstance(tensor, torch.Tensor) for tensor in value.values())


def _checkpoint(path: Path) -> Any:
    """What a file of weights holds; InputError where it is missing or broken."""
    from safetensors.torch import load_file

    if not Path(path).is_file():
        raise InputError(f"{path}: no such file, expected weights")
    try:
        return load_file(path) if Path(path).suffix == ".safetensors" else _unpickled(path)
    except (Exception, MemoryError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as weights without running code ({_why(error)})") from error


def _unpickled(path: Path) -> Any:
    """What torch reads of a checkpoint with `weights_only`, the classes that it does not know replaced by shells."""
    import torch

    try:
        unknown = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except ValueError:  # not torch's zip; older formats are read without shells
        unknown = []
    shells = [(type("Shell", (_Shell,), {}), name) for name in unknown]
    with torch.serialization.safe_globals(shells):
        return torch.load(path, map_location="cpu", weights_only=True)


class _Shell:
    """Stands for an object of a class that is not looked up: takes all it is given and keeps nothing."""

    def __new__(cls, *_: object, **__: object) -> _Shell:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


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
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS):  # the disk, not the archive
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
        try:
            return self._sizes(), self._copy
        except InputError:
            self._file.close()
            raise

    def _sizes(self) -> dict[str, int]:
        for member in self._file.infolist():
            mode = member.external_attr >> 16
            if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise InputError(f"{self._path}: '{member.filename}' is a link or device, expected files and folders")
        return {m.filename: m.file_size for m in self._file.infolist() if not m.is_dir()}

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _copy(self, name: str, to: Path) -> None:
        with self._file.open(name) as source, to.open("wb") as target:
            shutil.copyfileobj(source, target)


class _tar_members(_zip_members):  # noqa: N801
    """As `_zip_members`, of a tar archive, packed or not."""

    def __init__(self, archive: Path) -> None:
        self._path, self._file = archive, tarfile.open(archive)  # noqa: SIM115 - closed by __exit__

    def _sizes(self) -> dict[str, int]:
        for member in self._file.getmembers():
            if not (member.isreg() or member.isdir()):
                raise InputError(f"{self._path}: '{member.name}' is a link or device, expected files and folders")
        return {m.name: m.size for m in self._file.getmembers() if m.isreg()}

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
            raise InputError(f"{path}: {what}: found {shown(entry)}, expected a number")
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
