"""Against what scipy writes, against a file written by hand with the other byte order, and against broken bytes."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.io import savemat

from aqa_pipeline import mat5, untrusted
from aqa_pipeline.errors import InputError

LARGEST = 2**16
VALUES = {
    "doubles": np.arange(21.0).reshape(7, 3) / 8,
    "singles": np.array([[1.5, -2, np.nan]], np.float32),
    "small": np.array([[1, 2], [3, 250]], np.uint8),
    "wide": np.array([[-(2**40)]], np.int64),
    "indices": np.array([[54, 341, 41]], np.uint16),
    "yes": np.array([[True, False]]),
    "empty": np.zeros((0, 3)),
    "deep": np.arange(24.0).reshape(2, 3, 4),
}


def written(values, **options) -> bytes:
    file = io.BytesIO()
    savemat(file, values, **options)
    return file.getvalue()


@pytest.mark.parametrize("packed", [False, True])
def test_numbers_as_they_were_written(packed):
    found = dict(mat5.variables(written(VALUES, do_compression=packed), LARGEST))
    assert list(found) == list(VALUES)
    for name, value in VALUES.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype


@pytest.mark.parametrize("packed", [False, True])
def test_text_is_read_row_by_row(packed):
    data = written({"names": ["vault", "skis", "é"], "one": "dive", "none": ""}, do_compression=packed)
    found = dict(mat5.variables(data, LARGEST))
    assert found["names"].tolist() == ["vault", "skis ", "é    "]
    assert found["one"].tolist() == ["dive"]
    assert found["none"].size == 0


def test_all_else_is_named_and_not_read():
    cell = np.array([[1, "a"]], dtype=object)
    data = written({"cell": cell, "record": {"field": 2.0}, "complex": np.array([[1j]]), "number": 3.0})
    found = dict(mat5.variables(data, LARGEST))
    assert [name for name, value in found.items() if value is None] == ["cell", "record", "complex"]
    assert found["number"].tolist() == [[3.0]]


def test_the_other_byte_order():
    def element(kind, data):
        return struct.pack(">II", kind, len(data)) + data + b"\0" * (-len(data) % 8)

    flags, dims = element(6, struct.pack(">II", 6, 0)), element(5, struct.pack(">ii", 2, 3))
    name = struct.pack(">HH", 1, 1) + b"x\0\0\0"  # one byte within the tag
    values = element(3, struct.pack(">6h", 1, 2, 3, 4, 5, -6))  # doubles that fit two bytes are stored so
    data = b" " * 124 + struct.pack(">H", 0x0100) + b"MI" + element(14, flags + dims + name + values)
    [(found, array)] = mat5.variables(data, LARGEST)
    assert found == "x"
    assert array.tolist() == [[1.0, 3.0, 5.0], [2.0, 4.0, -6.0]]


def test_what_is_broken_is_said():
    data = written({"x": np.arange(6.0).reshape(2, 3)})
    for spoilt, message in (
        (b"", "does not begin like a MATLAB file"),
        (data[:100], "does not begin like a MATLAB file"),
        (data[:-1], "an element of 96 bytes, and fewer follow"),
        (data + b"\1\2\3", "ends within a tag"),
        (data.replace(struct.pack("<ii", 2, 3), struct.pack("<ii", 2, 4)), r"'x' has 6 values for shape \[2, 4\]"),
        (data.replace(struct.pack("<ii", 2, 3), struct.pack("<ii", -2, -3)), r"'x' has shape \[-2, -3\]"),
    ):
        with pytest.raises(ValueError, match=message):
            list(mat5.variables(spoilt, LARGEST))
    with pytest.raises(NotImplementedError):
        list(mat5.variables(data[:124] + b"\0\2" + data[126:], LARGEST))


def test_a_variable_that_unpacks_to_too_much_is_refused():
    with pytest.raises(ValueError, match="unpacks to more than 65536 bytes"):
        list(mat5.variables(written({"x": np.zeros((100, 100))}, do_compression=True), LARGEST))


@settings(max_examples=100, deadline=None)
@given(
    value=arrays.arrays(
        st.sampled_from([np.float64, np.float32, np.int8, np.uint16, np.int32, np.uint64]),
        arrays.array_shapes(min_dims=2, max_dims=3, max_side=4),
    ),
    packed=st.booleans(),
)
def test_round_trip(value, packed):
    [(_, found)] = mat5.variables(written({"x": value}, do_compression=packed), LARGEST)
    np.testing.assert_array_equal(found, value)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_bytes_crash_the_reader(tmp_path_factory, data):
    whole = written(
        {"x": np.arange(6.0).reshape(2, 3), "text": ["ab", "c"], "cell": np.array([[1, "a"]], dtype=object)}
    )
    at = data.draw(st.integers(120, len(whole)))
    body = whole[:at] + data.draw(st.binary(max_size=9)) + whole[at + data.draw(st.integers(0, 9)) :]
    if data.draw(st.booleans()):  # the same inside a compressed variable
        inner = zlib.compress(body[128:])
        body = whole[:128] + struct.pack("<II", 15, len(inner)) + inner
    path = tmp_path_factory.mktemp("mat") / "spoilt.mat"
    path.write_bytes(body)
    try:
        found = untrusted.read_mat(path, "x")["x"]
    except InputError:
        return
    assert found.dtype.kind in "biufU"
