"""Numbers in text: right ones exactly, and of whatever bytes either a table of finite numbers or one clear line."""

import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline.datasets._text import read_numbers
from aqa_pipeline.errors import InputError

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("ending", ["txt", "txt.gz"])
def test_rows_of_numbers(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    data = b"\xef\xbb\xbf\n  \r\n1,-2.5,3e2,\r\n0,  4 ,5\n\n"  # a byte order mark, blank rows, a comma at the end
    path.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    np.testing.assert_array_equal(read_numbers(path, 3), [[1, -2.5, 300], [0, 4, 5]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "holds no row, expected rows of 3 numbers"),
        (b"\n\n", "holds no row"),
        (b"1,2,3\n\n4,5\n", "row 3: found 2 cells, expected 3"),
        (b"1,2,3,4,5,6\n", "row 1: found 6 cells, expected 3"),
        (b"1,2,\n", "row 1: found 2 cells, expected 3"),
        (b"\n1,2,x\n", "row 2: found a cell that is no number"),
        (b"1,2,3\n1,,3\n", "row 2: found a cell that is no number"),
        (b"1,2,1_0\n", "row 1: found a cell that is no number"),
        (b"1,2,1e39\n", "row 1: found a number that is not finite"),
        (b"1,2,3\n1,nan,3\n", "row 2: found a number that is not finite"),
        (b"1,2,3\n1,2,-inf\n", "row 2: found a number that is not finite"),
        (b"1,2,\xff3\n", "byte 4 is no UTF-8"),
    ],
)
def test_mistakes_name_file_and_row(tmp_path, data, message):
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(InputError, match=rf"a\.csv: {message}"):
        read_numbers(tmp_path / "a.csv", 3)


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match=r"a\.csv: no such file"):
        read_numbers(tmp_path / "a.csv", 3)
    whole = gzip.compress(b"1,2,3\n" * 50)
    for broken in (b"1,2,3\n", whole[:-9], whole[:15] + b"\xff\xff\xff" + whole[18:]):
        (tmp_path / "a.gz").write_bytes(broken)
        with pytest.raises(InputError, match=r"a\.gz: cannot be read"):
            read_numbers(tmp_path / "a.gz", 3)


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=9))
@QUIET
def test_there_and_back(tmp_path, rows):
    (tmp_path / "a.csv").write_text("\n".join(",".join(map(repr, row)) for row in rows))
    np.testing.assert_array_equal(read_numbers(tmp_path / "a.csv", 3), rows)


@given(st.binary(max_size=80) | st.text("0123456789.,-+enaif_ \r\n\t\"'#", max_size=60).map(str.encode), st.booleans())
@QUIET
def test_whatever_the_bytes(tmp_path, data, packed):
    path = tmp_path / ("a.gz" if packed else "a.csv")
    path.write_bytes(data)
    try:
        found = read_numbers(path, 2)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right
        return
    assert found.shape[1] == 2
    assert np.isfinite(found).all()
