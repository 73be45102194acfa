import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from aqa_pipeline.errors import InputError
from aqa_pipeline.features import precomputed

SUFFIXES = [".npz", ".h5", ".parquet", ".csv"]
FINITE = st.floats(-(2.0**40), 2.0**40, width=32)


def write(path: Path, values: np.ndarray, ids: list[str] | None = None) -> Path:
    """Values (N, D) with an id a row, or (T, D) of one video, in the format of the path's suffix."""
    if path.suffix in (".npz", ".h5"):
        arrays = {"features": values} | ({"video_id": np.array(ids, dtype="S")} if ids else {})
        if path.suffix == ".npz":
            np.savez(path, **arrays)
        else:
            with h5py.File(path, "w") as file:
                file.update(arrays)
    else:
        table = pd.DataFrame(values, columns=[f"f{i}" for i in range(values.shape[1])])
        table = table.assign(video_id=ids) if ids else table
        table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    return path


@settings(max_examples=15, deadline=None)
@given(values=numbers.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=FINITE))
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_one_video_comes_back(suffix, values):
    with TemporaryDirectory() as folder:
        read = precomputed.build()(write(Path(folder) / f"one{suffix}", values), "any")
    assert read.dtype == np.float32
    assert read.shape == values.shape
    assert read == pytest.approx(values, rel=1e-6)


@settings(max_examples=15, deadline=None)
@given(
    ids=st.lists(st.text("0123456789abcdef_-", min_size=1, max_size=6), min_size=1, max_size=5, unique=True),
    dim=st.integers(1, 3),
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_each_video_of_a_common_file_is_found_by_its_id(suffix, ids, dim):
    values = np.arange(len(ids) * dim, dtype=np.float32).reshape(len(ids), dim)
    with TemporaryDirectory() as folder:
        path = write(Path(folder) / f"all{suffix}", values, ids)
        read = precomputed.build()
        for i, video_id in enumerate(ids):
            assert read(path, video_id).tolist() == [values[i].tolist()]
        with pytest.raises(InputError, match="nothing of video 'absent!'"):
            read(path, "absent!")


def test_an_id_of_digits_keeps_its_zeros(tmp_path):
    path = write(tmp_path / "ids.csv", np.array([[1.0], [2.0], [3.0]]), ["007", "7", "007"])
    assert precomputed.build()(path, "007").tolist() == [[1.0], [3.0]]


def test_arrays_of_sequences(tmp_path):
    values = np.random.default_rng(0).random((2, 5, 3))
    np.savez(tmp_path / "a.npz", features=values, video_id=np.array([54, 55]))
    assert precomputed.build()(tmp_path / "a.npz", "55") == pytest.approx(values[1])


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=20, deadline=None)
@given(content=st.binary(max_size=60))
def test_no_content_gets_past_the_reader_without_a_line_for_the_user(suffix, content):
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"broken{suffix}"
        path.write_bytes(content)
        values = None
        with contextlib.suppress(InputError):  # any other error fails the test
            values = precomputed.build()(path, "x")
    assert values is None or (values.ndim == 2 and np.isfinite(values).all())


def test_a_pickle_is_refused(tmp_path):
    np.savez(tmp_path / "pickled.npz", features=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="without pickled objects"):
        precomputed.build()(tmp_path / "pickled.npz", "x")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[1.0, np.nan]]), "1 values are NaN or infinite"),
        (np.array([[1e300]]), "1 values are NaN or infinite"),
        (np.array([["a"]]), "expected numbers"),
        (np.zeros((2, 3, 4)), r"values of shape \(2, 3, 4\)"),
        (np.zeros((0, 3)), r"values of shape \(0, 3\)"),
    ],
)
def test_what_is_no_sequence_of_numbers_is_named(tmp_path, values, message):
    np.savez(tmp_path / "wrong.npz", features=values)
    with pytest.raises(InputError, match=message):
        precomputed.build()(tmp_path / "wrong.npz", "x")


def test_other_mistakes_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", feature=np.zeros((2, 3)), video_id=np.array(["a", "a"]))
    with pytest.raises(InputError, match="no array 'features', did you mean 'feature'"):
        precomputed.build()(tmp_path / "a.npz", "a")
    with pytest.raises(InputError, match="holds 'a' twice"):
        precomputed.build(array="feature")(tmp_path / "a.npz", "a")
    with pytest.raises(InputError, match="no such file"):
        precomputed.build()(tmp_path / "b.npz", "a")
    with pytest.raises(InputError, match=r"found '\.pkl'"):
        precomputed.build()(tmp_path / "b.pkl", "a")
    (tmp_path / "t.csv").write_text("video_id,f\na,1\nb,high\n")
    with pytest.raises(InputError, match="column 'f' holds text"):
        precomputed.build()(tmp_path / "t.csv", "a")
