"""The ledger is whole, and its contradictions are the ones that are known."""

import csv

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline import ledger
from aqa_pipeline.errors import InputError

FIGURES = ledger.read()

# Systems that this project reproduces; the others stand in the ledger for comparison alone.
OURS = {
    *("pose_guided", "usdl", "musdl", "core", "tsa", "fineparser", "mcore", "hp_mcore", "c3d_fragments", "pose_dct"),
    *("conv_isa", "c3d_svr", "c3d_lstm", "c3d_avg", "mscadc", "i3d_mlp", "tsa_net"),
}


def value(table, system, variant, dataset, metric):
    found = [
        f
        for f in FIGURES
        if (f.table, f.system, f.variant, f.dataset, f.metric) == (table, system, variant, dataset, metric)
    ]
    assert len(found) == 1
    return found[0].value


def test_no_figure_lacks_a_source():
    assert all(figure.source.strip() and figure.evidence and figure.setting for figure in FIGURES)
    assert len({figure.source for figure in FIGURES}) > 10


def test_every_system_of_the_project_has_a_figure():
    assert {figure.system for figure in FIGURES} >= OURS


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (("pose_guided_1", "pose_guided", "coco_as_published", "finediving", "relative_l2_x100"), 2.3),
        (("fragments_1", "c3d_fragments", "mse_ranking", "unlv_vault", "med"), 2.60),
        (("fragments_2", "conv_isa", "default", "mit_skating", "spearman_rho"), 0.45),
        (("fineparser_finediving_hm", "musdl", "with_dive_number", "finediving", "spearman_rho"), 0.9241),
        (("fineparser_mtl_aqa", "pose_dct", "default", "mtl_aqa", "spearman_rho"), 0.2682),
        (("hp_mcore_1_without_dive_number", "hp_mcore", "without_dive_number", "finediving", "aiou_75"), 93.68),
        (("hp_mcore_1_with_dive_number", "hp_mcore", "with_dive_number", "finediving", "relative_l2_x100"), 0.269),
        (("hp_mcore_mtl_aqa", "hp_mcore", "default", "mtl_aqa", "spearman_rho"), 0.9432),
        (("aqa_7", "usdl", "default", "mean", "spearman_rho"), 0.8102),
        (("jigsaws", "musdl", "default", "jigsaws_needle_passing", "spearman_rho"), 0.69),
    ],
)
def test_figures_of_every_table(place, expected):
    assert value(*place) == pytest.approx(expected)


def test_no_figure_stands_twice_in_a_table():
    keys = [(f.table, *f.subject, f.source) for f in FIGURES]
    assert len(keys) == len(set(keys))


def test_what_was_printed_is_the_value_in_another_unit_at_most():
    for figure in FIGURES:
        assert figure.value in (pytest.approx(float(figure.printed)), pytest.approx(100 * float(figure.printed))), (
            figure
        )


def test_the_known_contradictions_and_no_other():
    found = {(f.system, f.variant, f.dataset, f.metric) for f in ledger.conflicts(FIGURES)}
    assert found == {
        ("c3d_fragments", "mse", "unlv_diving", "spearman_rho"),
        ("tsa_net", "default", "mtl_aqa", "spearman_rho"),
        ("usdl", "with_dive_number", "finediving", "spearman_rho"),
        ("usdl", "with_dive_number", "finediving", "relative_l2_x100"),
        ("hp_mcore", "with_dive_number", "finediving", "spearman_rho"),
        ("hp_mcore", "with_dive_number", "finediving", "relative_l2_x100"),
    }


def test_means_over_actions_are_fisher_means_but_for_one():
    import numpy as np

    means = {}
    for figure in FIGURES:
        if figure.table in ("aqa_7", "aqa_7_others") and figure.metric == "spearman_rho":
            means.setdefault((figure.table, figure.system), {})[figure.dataset] = figure.value
    off = {}
    for (_, system), values in means.items():
        whole = values.pop("mean", None)
        if whole is not None and len(values) == 6:
            off[system] = round(float(np.tanh(np.mean(np.arctanh(list(values.values()))))) - whole, 3)
    assert off.pop("core") == pytest.approx(0.003)  # 0.8401 was printed, the six values give 0.8433
    assert set(off) >= {"c3d_lstm", "c3d_svr", "tsa_net", "usdl", "tpt"}
    assert max(map(abs, off.values())) <= 0.002


HEADER = ",".join(ledger.Figure.model_fields)
GOOD = "t,s,v,d,300/70,med,7.78,7.78,Table 2,read,"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (GOOD.replace("Table 2", ""), r"row 2: column source: found '', string should have at least 1"),
        (GOOD.replace("7.78,7.78", "nan,nan"), r"row 2: column value: found 'nan'"),
        (GOOD.replace("read", "heard"), r"row 2: column evidence: found 'heard'"),
        (GOOD.replace(",d,", ",UNLV Dive,"), r"row 2: column dataset: found 'UNLV Dive'"),
        (GOOD + ",more", r"row 2: more cells than columns"),
    ],
)
def test_a_mistake_is_named_with_row_and_column(tmp_path, row, message):
    path = tmp_path / "own.csv"
    path.write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(InputError, match=message):
        ledger.read(path)


def test_a_table_of_ones_own(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n")
    assert [f.value for f in ledger.of_tables([str(path)])] == [7.78]
    with pytest.raises(InputError, match=r"no table 'fragments_3' in the ledger, did you mean 'fragments_2'"):
        ledger.of_tables(["fragments_3"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(lambda t: f"{HEADER}\n{t}".encode())))
def test_whatever_the_bytes(tmp_path, data):
    path = tmp_path / "own.csv"
    path.write_bytes(data)
    try:
        figures = ledger.read(path)
    except InputError as error:
        figures = []
        assert str(path) in str(error)  # noqa: PT017 - either answer is good
    assert all(figure.source for figure in figures)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 999_999), st.integers(1, 6))
def test_rounded_or_cut_figures_agree(millionths, digits):
    exact = millionths / 1e6
    shorter = f"{exact:.{digits}f}"
    row = dict(zip(ledger.Figure.model_fields, next(csv.reader([GOOD])), strict=True))
    a = ledger.Figure(**{**row, "value": exact, "printed": f"{exact:.6f}"})
    b = ledger.Figure(**{**row, "value": float(shorter), "printed": shorter})
    apart = ledger.Figure(**{**row, "value": exact + 0.2, "printed": f"{exact + 0.2:.6f}"})
    assert ledger.conflicts([a, b]) == {}
    assert ledger.conflicts([a, apart]) == {a: [apart], apart: [a]}
