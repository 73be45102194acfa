"""Whatever a stranger's file holds, nothing of it runs: the answer is a plain value or an InputError of one line."""

import collections
import copyreg
import io
import os
import pickle
import stat
import struct
import tarfile
import zipfile

import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline import untrusted
from aqa_pipeline.errors import InputError

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


@pytest.fixture
def load(tmp_path):
    """Reads bytes as a pickle file."""

    def read(data):
        path = tmp_path / "file.pkl"
        path.write_bytes(data)
        return untrusted.read_pickle(path)

    return read


def reduced(function, *arguments, state=None):
    """An object whose pickle calls the function, and then sets the state."""

    class Reduced:
        def __reduce__(self):
            return (function, arguments) if state is None else (function, arguments, state)

    return Reduced()


def answer(read, *arguments):
    """What a reader returns, and the text of its InputError; any other exception fails the test."""
    try:
        value, error = read(*arguments), None
    except InputError as refusal:
        value, error = None, str(refusal)
    assert "\n" not in (error or "")
    return value, error


# Pickles


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        {("01", 1): {"score": 88.0, "judges": [9.5, 9.0], "name": "Schröder", "none": None}},
        [True, -(2**70), 1.5, 2 + 3j, b"\x00\xff", b"", bytearray(b"ab\xff"), "", (1, (2, 3))],
        {1, 2, 3},
        frozenset("ab"),
        slice(1, 2),
        collections.OrderedDict([("b", 1), ("a", 2)]),
        collections.defaultdict(list, {"a": [1]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_builtins_and_collections(load, value, protocol):
    found = load(pickle.dumps(value, protocol))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", ["i8", ">i4", "u1", "bool", "f4", ">f8", "c8", "S3", "U2", ">U2"])
@pytest.mark.parametrize("order", "CF")
def test_arrays(load, dtype, order, protocol):
    array = np.array([[1, 0, 3], [4, 1, 6]]).astype(dtype, order=order)
    found = load(pickle.dumps({"a": array, "again": array}, protocol))
    np.testing.assert_array_equal(found["a"], array)
    assert found["a"].dtype.newbyteorder("=") == array.dtype.newbyteorder("=")  # numpy itself turns most to native
    assert found["again"] is found["a"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numbers_and_objects_of_numpy(load, protocol):
    value = [np.int64(7), np.float32(0.5), np.uint8(255), np.bool_(True), np.str_("ab")]
    found = load(pickle.dumps(value, protocol))
    assert [(type(v), v) for v in found] == [(type(v), v) for v in value]
    array = np.array([["a", None], [1.5, [2]]], dtype=object)
    assert load(pickle.dumps(array, protocol)).tolist() == array.tolist()


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_both_spellings_of_numpy(load, module):
    """Protocols 0 to 2 write the module as a line of its own, so that it can be swapped."""
    data = pickle.dumps({("01", np.int64(3)): np.arange(4.0)}, protocol=2)
    written = next(name for name in (b"numpy._core.multiarray", b"numpy.core.multiarray") if name in data)
    [(key, array)] = load(data.replace(written, module)).items()
    assert key == ("01", 3)
    assert array.tolist() == [0, 1, 2, 3]


def test_python_2_style(load):
    """Byte strings where Python 3 has text, and numbers as `L`: here the array [1, 200] of unsigned bytes."""
    data = (
        b"(dp0\nS'labels'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\nS'b'\np5\ntp6\nRp7\n"
        b"(I1\n(L2L\ntp8\ncnumpy\ndtype\np9\n(S'u1'\np10\nI0\nI1\ntp11\nRp12\n(I3\nS'|'\np13\nNNNI-1\nI-1\nI0\ntp14\nb"
        b"I00\nS'\\x01\\xc8'\np15\ntp16\nbsS'name'\np17\nS'M\\xfcller'\np18\nsS'set'\nc__builtin__\nset\n((lI1\naI2\natRs."
    )
    found = load(data)
    assert found["labels"].tolist() == [1, 200]
    assert (found["name"], found["set"]) == ("Müller", {1, 2})


MARK = "untrusted_ran"


def leave_a_mark():  # pragma: no cover - must never run
    os.environ[MARK] = "yes"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, (f"{MARK}=1",), f"{os.name}.system"),
        (eval, ("1",), "eval"),
        (exec, ("1",), "exec"),
        (getattr, ("a", "upper"), "getattr"),
        (__import__, ("os",), "__import__"),
        (open, ("/nowhere",), "open"),
        (print, (), "print"),
        (np.load, ("x.npy",), "load"),
        (np.frombuffer, (b"12345678",), "frombuffer"),
        (np.fromfile, ("/dev/zero",), "fromfile"),
        (copyreg._reconstructor, (dict, dict, None), "_reconstructor"),
        (pickle.loads, (b"N.",), "loads"),
        (collections.Counter, (), "Counter"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_function_is_refused_by_name(load, function, arguments, name, protocol):
    data = pickle.dumps({"deep": [{"deeper": (reduced(function, *arguments),)}]}, protocol)
    with pytest.raises(InputError, match=rf"file.pkl: the pickle asks for \S*{name}, expected .* not run$"):
        load(data)


def test_none_of_it_ran(load):
    data = pickle.dumps(reduced(leave_a_mark))
    assert "leave_a_mark" in answer(load, data)[1]
    assert MARK not in os.environ


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'true'\no.",  # OBJ
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",  # STACK_GLOBAL
        b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93.",  # a dotted name
        b"\x80\x04\x8c\x08builtins\x8c\x0cdict.__class__\x93.",
        b"cnumpy\nndarray\n(I9\ntR.",  # the class itself is not called
        b"\x80\x02cnumpy\nndarray\nI9\n\x85\x81.",  # nor by NEWOBJ
        b"\x80\x02cbuiltins\ndict\n)\x81.",
        b"Pid\n.",  # persistent ids
        b"\x80\x02K\x01Q.",
        b"\x80\x02\x82\x01.",  # extension registry
        b"\x80\x05\x97.",  # out of band
        b"",
        b".",
        b"\x80\x09N.",
        b"I1\n",
    ],
    ids=repr,
)
def test_tricks_are_refused(load, data):
    value, error = answer(load, data)
    assert value is None
    assert "file.pkl: " in error


@pytest.mark.parametrize(
    "name",
    [
        "collections OrderedDict",
        "collections defaultdict",
        "builtins dict",
        "numpy dtype",
        "numpy ndarray",
        "_codecs encode",
    ],
)
def test_admitted_names_cannot_be_changed(load, name):
    module, function = name.split()
    before = dict(untrusted._ADMITTED)
    data = f"c{module}\n{function}\n(dS'x'\nI1\nsb.".encode()  # BUILD sets attributes
    assert "changes a" in answer(load, data)[1]
    both = f"c{module}\n{function}\n(N(dS'_function'\nNstb.".encode()  # and slots
    assert "changes a" in answer(load, both)[1]
    items = f"c{module}\n{function}\n(S'x'\nI1\nu.".encode()  # SETITEMS
    assert answer(load, items)[1]
    assert before == untrusted._ADMITTED
    assert not hasattr(collections.OrderedDict, "x")
    assert load(pickle.dumps(np.arange(3))).tolist() == [0, 1, 2]


def test_the_dtypes_of_numpy_cannot_be_changed(load):
    load(pickle.dumps(np.arange(3, dtype=">i8"), 2))
    assert np.dtype("i8").isnative
    assert np.arange(3).tolist() == [0, 1, 2]


def scalar(dtype, data):
    return reduced(np.array(1.0)[()].__reduce__()[0], dtype, data)


@pytest.mark.parametrize(
    "state",
    [
        (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0),  # fields of objects, denied by the flags
        (3, "|", (np.dtype("O"), (1,)), None, None, 8, 1, 0),
        (3, "|", None, (), {}, 8, 1, 63),
    ],
)
@pytest.mark.parametrize("name", ["V8", "i8", "S8"])
def test_numbers_are_never_taken_for_addresses(load, name, state):
    forged = reduced(np.dtype, name, False, True, state=state)
    assert "numpy dtype" in answer(load, pickle.dumps(scalar(forged, b"A" * 8), 2))[1]


@pytest.mark.parametrize("size", [-1, 0, 2**31, 2**62])
def test_flags_and_sizes_of_a_dtype_are_not_believed(load, size):
    forged = reduced(np.dtype, "S8", False, True, state=(3, "|", None, None, None, size, size, 63))
    assert load(pickle.dumps(scalar(forged, b"A" * 8), 2)) == b"A" * 8


def test_objects_do_not_come_from_bytes(load):
    forged = scalar(np.dtype("O"), b"A" * 8)
    assert "expected one of plain bytes" in answer(load, pickle.dumps(forged, 2))[1]


def array(shape, dtype, data):
    function, arguments, _ = np.arange(2).__reduce__()
    return reduced(function, *arguments, state=(1, shape, np.dtype(dtype), False, data))


@pytest.mark.parametrize(
    ("shape", "dtype", "data"),
    [
        ((10**12,), "O", [None]),  # would make room first
        ((10**12,), "i8", b""),
        ((2,), "i8", b"1234567"),
        ((-1, -2), "i1", b"12"),
        ((1,), "O", b"A" * 8),
        ((1,), "i8", [1]),
    ],
)
def test_an_array_holds_what_its_shape_says(load, shape, dtype, data):
    assert "numpy array of shape" in answer(load, pickle.dumps(array(shape, dtype, data), 2))[1]


def test_a_whole_array_cannot_be_set_again(load):
    data = pickle.dumps(np.arange(2), 2)
    again = data[:-1] + b"(K\x01K\x01\x85cnumpy\ndtype\n(S'i1'\ntRI00\nS'a'\ntb."
    assert "with other contents" in answer(load, again)[1]


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(reduced(bytes, 2**40), 2),
        pickle.dumps(reduced(bytearray, 2**40), 2),
        pickle.dumps(reduced(tuple, b"1234"), 2),
        pickle.dumps(reduced(str, [1]), 2),
        b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"a.",  # BYTEARRAY8
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"a.",  # BINBYTES8
        b"c_codecs\nencode\n(V\xe4\xe4\nVidna\ntR.",
    ],
)
def test_little_bytes_do_not_ask_for_much_memory(load, data):
    assert answer(load, data)[1]


def test_a_long_frame_and_a_place_far_away_in_the_memo_cost_nothing(load):
    assert load(b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"K\x05.") == 5
    assert load(b"\x80\x02K\x07r" + struct.pack("<I", 2**31) + b".") == 7


def test_values_that_hold_themselves_or_go_deep_are_refused(load):
    circle = []
    circle.append({"again": circle})
    assert "holds itself" in answer(load, pickle.dumps(circle))[1]
    deep = b"(" * 900 + b"l" * 900 + b"."
    assert "nested more than 50 deep" in answer(load, deep)[1]
    assert "nested" in answer(load, b"(" * 10**5 + b"l" * 10**5 + b".")[1]


def test_doubling_lists_stay_small(load):
    value = [1.5]
    for _ in range(40):
        value = [value, value]
    found = untrusted.plain(load(pickle.dumps(value)))
    assert found[0] is found[1]
    assert len(untrusted.shown(found)) <= 80


@FUZZ
@given(st.binary(max_size=200))
def test_any_bytes_as_a_pickle(load, data):
    answer(load, data)


def mutated(data, changes):
    data = bytearray(data)
    for at, value in changes:
        data[at % len(data)] = value
    return bytes(data)


changes = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4)


@settings(FUZZ, max_examples=300)
@given(protocol=st.sampled_from(PROTOCOLS), changes=changes)
def test_any_mutation_of_a_pickle(load, protocol, changes):
    value = {("01", np.int64(3)): {"labels": np.arange(5), "names": np.array(["a", None]), "s": {1}, "x": b"\xff"}}
    answer(load, mutated(pickle.dumps(value, protocol), changes))


# Plain values


def test_plain_reaches_keys_and_tuples_and_leaves_arrays():
    array = np.arange(3)
    found = untrusted.plain({(np.int64(1), "a"): [np.float64(2.5), (np.bool_(True),)], "array": array})
    assert found == {(1, "a"): [2.5, (True,)], "array": array}
    assert type(next(iter(found))[0]) is int
    assert [type(found[1, "a"][0]), type(found[1, "a"][1][0])] == [float, bool]
    assert found["array"] is array


def test_numbers_of():
    assert list(untrusted.numbers_of("f", np.array([[1, 2], [3, 4]]), "marks")) == [1.0, 2.0, 3.0, 4.0]
    assert list(untrusted.numbers_of("f", (1, np.float32(0.5)), "marks")) == [1.0, 0.5]
    for wrong, expected in (
        ([1, None], "found None"),
        ([np.nan], "found nan"),
        ([True], "found True"),
        ("12", "found str"),
    ):
        with pytest.raises(InputError, match=f"f: marks: {expected}, expected"):
            list(untrusted.numbers_of("f", wrong, "marks"))


# MATLAB files


@pytest.fixture
def mat(tmp_path):
    import scipy.io

    def write(**arrays):
        scipy.io.savemat(tmp_path / "file.mat", arrays, do_compression=True)
        return tmp_path / "file.mat"

    return write


def test_mat(mat):
    found = untrusted.read_mat(mat(a=np.arange(6.0).reshape(2, 3), b=np.array(["ab"]), other={"x": 1}), "a", "b")
    assert found["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert sorted(found) == ["a", "b"]


@pytest.mark.parametrize("kind", ["cell", "struct", "sparse"])
def test_mat_of_something_else(mat, kind):
    import scipy.sparse

    cell = np.empty((1, 2), object)
    cell[:] = [[np.ones(2), "a"]]
    value = {"cell": cell, "struct": {"x": 1}, "sparse": scipy.sparse.eye(3).tocsc()}[kind]
    with pytest.raises(InputError, match=r"file.mat: 'a' holds no plain array"):
        untrusted.read_mat(mat(a=value), "a")


def test_mat_that_lacks_a_name_or_is_none(mat, tmp_path):
    with pytest.raises(InputError, match=r"file.mat: no variable 'train', did you mean 'train_list'"):
        untrusted.read_mat(mat(train_list=np.ones(3)), "train")
    with pytest.raises(InputError, match=r"none.mat: no such file, expected a MATLAB file with a"):
        untrusted.read_mat(tmp_path / "none.mat", "a")
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(100))
    assert "version 7" in answer(untrusted.read_mat, tmp_path / "new.mat", "a")[1]


def test_mat_that_claims_too_much(mat):
    import scipy.io

    path = mat(a=np.ones((2, 3)))
    scipy.io.savemat(path, {"a": np.ones((2, 3))}, do_compression=False)
    data = path.read_bytes()
    at = data.index(struct.pack("<ii", 2, 3))
    path.write_bytes(data[:at] + struct.pack("<ii", 2**20, 2**10) + data[at + 8 :])
    with pytest.raises(InputError, match=r"file.mat: cannot be read .*'a' has 6 values for shape \[1048576, 1024\]"):
        untrusted.read_mat(path, "a")


@FUZZ
@given(changes=changes)
def test_any_mutation_of_a_mat_file(mat, changes):
    path = mat(a=np.arange(12.0), b=np.array(["abc"]))
    path.write_bytes(mutated(path.read_bytes(), changes))
    found, _ = answer(untrusted.read_mat, path, "a")
    assert found is None or isinstance(found["a"], np.ndarray)


# Spreadsheets


@pytest.fixture
def book(tmp_path):
    """Writes rows to a sheet, and puts other members into the archive."""

    def write(rows, **members):
        path = tmp_path / "file.xlsx"
        sheets = openpyxl.Workbook()
        for row in rows:
            sheets.active.append(row)
        sheets.save(path)
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        parts |= {name.replace("__", "/").replace("_xml", ".xml"): data for name, data in members.items()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in parts.items():
                archive.writestr(name, data)
        return path

    return write


SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">%s<sheetData>%s</sheetData></worksheet>'


def test_xlsx(book):
    rows = [("sr. no", "view", None), (1, "s", 3.5), (None, "ss", "7..5")]
    assert untrusted.read_xlsx(book(rows)) == rows


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("declaration", ['<!DOCTYPE a [<!ENTITY b "c">]>', '<!DOCTYPE a SYSTEM "file:///etc/passwd">'])
def test_xlsx_with_a_document_type(book, declaration, encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?>{declaration}' + (SHEET % (b"", b"")).decode()
    path = book([(1,)], xl__worksheets__sheet1_xml=text.encode(encoding))
    with pytest.raises(InputError, match=r"file.xlsx: xl/worksheets/sheet1.xml defines a document type"):
        untrusted.read_xlsx(path)


def test_xlsx_that_unpacks_to_gigabytes(book, monkeypatch):
    monkeypatch.setattr(untrusted, "LARGEST", 2**20)
    path = book([(1,)], padding=bytes(2**21))
    assert path.stat().st_size < 2**15
    with pytest.raises(InputError, match=r"file.xlsx: unpacks to \d+ bytes, expected 1048576 at most"):
        untrusted.read_xlsx(path)


def test_xlsx_that_claims_every_cell_there_is(book):
    far = SHEET % (b'<dimension ref="A1:XFD1048576"/>', b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')
    with pytest.raises(InputError, match=r"file.xlsx: more than \d+ cells"):
        untrusted.read_xlsx(book([(1,)], xl__worksheets__sheet1_xml=far))


def test_xlsx_that_is_none(tmp_path):
    with pytest.raises(InputError, match=r"none.xlsx: no such file, expected an xlsx sheet"):
        untrusted.read_xlsx(tmp_path / "none.xlsx")
    (tmp_path / "file.xlsx").write_bytes(b"sr. no,view\n")
    with pytest.raises(InputError, match=r"file.xlsx: cannot be read as an xlsx sheet"):
        untrusted.read_xlsx(tmp_path / "file.xlsx")


@FUZZ
@given(changes=changes)
def test_any_mutation_of_a_sheet(book, changes):
    path = book([("a", 1), ("b", 2.5)])
    path.write_bytes(mutated(path.read_bytes(), changes))
    answer(untrusted.read_xlsx, path)


@FUZZ
@given(changes=changes)
def test_any_mutation_of_the_xml_in_a_sheet(book, changes):
    xml = SHEET % (b"", b'<row r="1"><c r="A1"><v>1</v></c><c r="B1" t="inlineStr"><is><t>s</t></is></c></row>')
    answer(untrusted.read_xlsx, book([(1,)], xl__worksheets__sheet1_xml=mutated(xml, changes)))


# Weights


def test_weights(tmp_path):
    import torch
    from safetensors.torch import save_file

    tensors = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(1)}
    save_file(tensors, tmp_path / "w.safetensors")
    torch.save(tensors, tmp_path / "w.pth")
    torch.save({"state_dict": tensors, "epoch": 3}, tmp_path / "checkpoint.pth")
    for name in ("w.safetensors", "w.pth", "checkpoint.pth"):
        found = untrusted.read_weights(tmp_path / name)
        assert sorted(found) == ["a.weight", "b"]
        assert found["a.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_what_lies_beside_the_weights_is_not_made(tmp_path):
    """As published checkpoints do: numpy values, and objects of classes, in what they say of themselves."""
    import torch

    meta = {
        "epoch": np.float64(3),
        "best": np.arange(4),
        "history": np.random.default_rng(0),
        "x": reduced(leave_a_mark),
    }
    torch.save({"state_dict": {"a": torch.ones(2, 3)}, "meta": meta}, tmp_path / "w.pth")
    assert untrusted.read_weights(tmp_path / "w.pth")["a"].tolist() == [[1, 1, 1], [1, 1, 1]]
    assert MARK not in os.environ
    torch.save({"state_dict": {"a": torch.ones(2, 3), "b": reduced(leave_a_mark)}}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="more than named tensors"):
        untrusted.read_weights(tmp_path / "w.pth")
    assert MARK not in os.environ


def test_state_dicts_by_name(tmp_path):
    """As the code of the papers saves: a state dict a part, the optimiser, figures."""
    import torch

    first = torch.nn.Linear(2, 3)
    optimiser = torch.optim.Adam(first.parameters())
    first(torch.ones(2)).sum().backward()
    optimiser.step()
    saved = {"first": first.state_dict(), "second": {"b": torch.ones(4)}, "optimizer": optimiser.state_dict()}
    torch.save(saved | {"epoch": 3, "rho": np.float64(0.9), "x": reduced(leave_a_mark)}, tmp_path / "w.pth")
    parts, others = untrusted.read_state_dicts(tmp_path / "w.pth")
    assert {name: sorted(part) for name, part in parts.items()} == {"first": ["bias", "weight"], "second": ["b"]}
    assert torch.equal(parts["first"]["weight"], first.weight)
    assert others == ["epoch", "optimizer", "rho", "x"]
    assert MARK not in os.environ
    torch.save(saved["first"], tmp_path / "w.pth")
    with pytest.raises(InputError, match="holds no state dicts by name"):
        untrusted.read_state_dicts(tmp_path / "w.pth")
    with pytest.raises(InputError, match="no such file"):
        untrusted.read_state_dicts(tmp_path / "none.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_that_are_none(tmp_path, suffix):
    import torch

    path = tmp_path / f"w{suffix}"
    with pytest.raises(InputError, match=r"no such file, expected weights"):
        untrusted.read_weights(path)
    torch.save({"a": reduced(leave_a_mark)}, path)
    with pytest.raises(InputError, match="holds more than named tensors" if suffix == ".pth" else "cannot be read"):
        untrusted.read_weights(path)
    assert MARK not in os.environ
    path.write_bytes(pickle.dumps(reduced(leave_a_mark), 2))
    assert answer(untrusted.read_weights, path)[1]
    torch.save({"a": "text"}, tmp_path / "text.pth")
    with pytest.raises(InputError, match=r"holds more than named tensors"):
        untrusted.read_weights(tmp_path / "text.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_mutated_weights(tmp_path, suffix):
    import torch
    from safetensors.torch import save_file

    path = tmp_path / f"w{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)({"a": torch.ones(2, 3)}, path)
    whole = path.read_bytes()

    @settings(max_examples=40, deadline=None)
    @given(changes)
    def check(some):
        path.write_bytes(mutated(whole, some))
        answer(untrusted.read_weights, path)

    check()


# Archives


def tar(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content
                archive.addfile(info)
    return path


def pack(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            if isinstance(content, bytes):
                archive.writestr(name, content)
            else:
                info = zipfile.ZipInfo(name)
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(info, content[1])
    return path


@pytest.mark.parametrize("make", [tar, pack])
def test_an_archive_is_unpacked(tmp_path, make):
    path = make(tmp_path / "archive", [("a/b.txt", b"one"), ("c.txt", b""), ("./d/e.bin", bytes(5))])
    assert untrusted.unpack(path, tmp_path / "out" / "here") == 3
    assert (tmp_path / "out/here/a/b.txt").read_bytes() == b"one"
    assert sorted(str(p.relative_to(tmp_path / "out/here")) for p in (tmp_path / "out").rglob("*.*")) == [
        *("a/b.txt", "c.txt", "d/e.bin"),
    ]


@pytest.mark.parametrize("make", [tar, pack])
@pytest.mark.parametrize(
    "name", ["../out.txt", "a/../../out.txt", "/out.txt", "..", "C:/out.txt", "..\\out.txt", "\\out.txt"]
)
def test_a_name_that_leads_out(tmp_path, make, name):
    path = make(tmp_path / "archive", [("good.txt", b"1"), (name, b"2")])
    with pytest.raises(InputError, match=r"leads out of the folder.*nothing was unpacked"):
        untrusted.unpack(path, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["archive"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_link_or_device_in_a_tar(tmp_path, kind):
    path = tar(tmp_path / "a.tar.gz", [("good.txt", b"1"), ("link", (kind, "/etc/passwd")), ("link/x", b"2")])
    with pytest.raises(InputError, match=r"'link' is a link or device, expected files and folders"):
        untrusted.unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_zip(tmp_path):
    path = pack(tmp_path / "a.zip", [("link", (None, "/etc/passwd"))])
    with pytest.raises(InputError, match=r"'link' is a link or device"):
        untrusted.unpack(path, tmp_path / "out")


@pytest.mark.parametrize("make", [tar, pack])
@pytest.mark.parametrize(
    "members", [[("a", b"1"), ("a/b", b"2")], [("x" * 300, b"1")]], ids=["file_and_folder", "too_long"]
)
def test_names_that_no_folder_can_hold(tmp_path, make, members):
    path = make(tmp_path / "archive", members)
    assert "cannot be unpacked" in answer(untrusted.unpack, path, tmp_path / "out")[1]
    assert [p.name for p in tmp_path.iterdir()] == ["archive"]


def test_an_archive_larger_than_the_disk(tmp_path, monkeypatch):
    path = pack(tmp_path / "a.zip", [("zeros", bytes(10**6))])
    monkeypatch.setattr(untrusted.shutil, "disk_usage", lambda _: shutil_usage(free=10**5))
    with pytest.raises(InputError, match=r"unpacks to 1000000 bytes, the disk has 100000 left"):
        untrusted.unpack(path, tmp_path / "out")


def shutil_usage(free):
    return collections.namedtuple("usage", "total used free")(10**9, 0, free)


def test_archives_that_are_none(tmp_path):
    with pytest.raises(InputError, match=r"a.zip: no such archive"):
        untrusted.unpack(tmp_path / "a.zip", tmp_path / "out")
    (tmp_path / "a.zip").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"a.zip: neither a zip nor a tar archive"):
        untrusted.unpack(tmp_path / "a.zip", tmp_path / "out")
    with pytest.raises(InputError, match=r"exists, expected a folder that does not"):
        untrusted.unpack(tmp_path / "a.zip", tmp_path)


@pytest.mark.parametrize("make", [tar, pack])
def test_any_mutation_of_an_archive(tmp_path, make):
    path = make(tmp_path / "archive", [("a/b.txt", b"one" * 50), ("c.txt", b"two")])
    whole, out = path.read_bytes(), tmp_path / "out"

    @settings(max_examples=60, deadline=None)
    @given(changes)
    def check(some):
        path.write_bytes(mutated(whole, some))
        _, error = answer(untrusted.unpack, path, out)
        assert out.exists() == (error is None)
        if out.exists():
            untrusted.shutil.rmtree(out)
        assert [p.name for p in tmp_path.iterdir()] == ["archive"]

    check()
