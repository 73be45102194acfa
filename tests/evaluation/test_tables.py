"""From prediction files to the text of the tables, by way of the two stages."""

import csv

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import scoring, significance, tables
from aqa_pipeline.metrics.med import med
from aqa_pipeline.metrics.spearman_rho import spearman_rho
from aqa_pipeline.stages.score import score
from aqa_pipeline.stages.tabulate import tabulate

TABLE = {
    "datasets": ["dives"],
    "protocol": "out_of_fold",
    "rows": ["no_video.default", "forest.small"],
    "metrics": ["spearman_rho", "med"],
    "floor": "no_video.default",
    "ceiling": "judge_ceiling.default",
    "mean_over_datasets": False,
    "published": [],
}
WRITTEN = ("tables.csv", "comparisons.csv", "significance.csv", "detectable.csv")
NOISE = {"no_video.default": 2.0, "forest.small": 0.6, "judge_ceiling.default": 0.05}


@pytest.fixture
def runs(made, tmp_path):
    """Writes the predictions of a system fold by fold and gives their paths."""

    def write(row, dataset="dives", protocol="out_of_fold", **options):
        found = made(NOISE[row], seed=len(row), **options)
        paths = []
        for fold in np.unique(found.fold):
            for s, seed in enumerate(found.seeds):
                rows = found.fold == fold
                path = (
                    tmp_path / "runs" / row / f"{dataset}.{protocol}" / f"fold{fold}.seed{seed}" / "predictions.parquet"
                )
                path.parent.mkdir(parents=True)
                columns = dict(
                    video_id=found.video_ids[rows],
                    fold=fold,
                    seed=seed,
                    score=found.score[rows],
                    predicted_score=found.predicted_score[s, rows],
                    execution_score=found.mark[rows],
                    predicted_execution=found.predicted_mark[s, rows],
                    n_exemplars=0,
                )
                pd.DataFrame(columns).to_parquet(path)
                paths.append(path)
        return paths

    return write


@pytest.fixture
def made_tables(tmp_path):
    """Runs both stages; gives tables.csv and comparisons.csv as lists of text by column."""

    def make(paths, table, folder="out", **options):
        out = tmp_path / folder
        scored = out / "scores.csv"
        beside = dict(pairs=scored.with_suffix(".pairs.csv"), detectable=scored.with_suffix(".detectable.csv"))
        score(paths, out=scored, **beside, table=table, bootstrap=200, seed=0)
        tabulate([scored], *(out / name for name in WRITTEN), tables={"main": table}, **options)
        return [list(csv.DictReader((out / name).open())) for name in WRITTEN[:2]]

    return make


def test_a_whole_table(runs, made_tables, made):
    paths = [path for row in NOISE for path in runs(row)]
    lines, compared = made_tables(paths, TABLE, command="make tables")
    assert list(lines[0]) == tables.COLUMNS
    rows = ["no_video.default", "forest.small", "judge_ceiling.default"]
    assert [(f"{x['system']}.{x['variant']}", x["metric"]) for x in lines] == [
        (r, m) for r in rows for m in TABLE["metrics"]
    ]
    assert {x["status"] for x in lines} == {"ok"}
    assert {x["command"] for x in lines} == {"make tables"}
    forest = lines[2]
    found = made(NOISE["forest.small"], seed=len("forest.small"))
    assert forest["value"] == f"{np.mean([spearman_rho(p, found.score) for p in found.predicted_score]):.4f}"
    assert lines[3]["value"] == f"{np.mean([med(p, found.score) for p in found.predicted_score]):.4f}"
    assert (forest["n_test"], forest["n_folds"], forest["n_seeds"]) == ("60", "3", "2")
    assert float(forest["ci_low"]) < float(forest["value"]) < float(forest["ci_high"])
    assert [(x["system"], x["metric"]) for x in compared] == [
        ("forest", "spearman_rho"),
        ("forest", "med"),
        ("judge_ceiling", "spearman_rho"),
        ("judge_ceiling", "med"),
    ]
    assert float(compared[0]["p"]) < 0.05
    assert 0 < float(compared[0]["gap_closed"]) < 1
    assert compared[2]["gap_closed"] == "1.0000"


def test_the_same_bytes_whatever_the_order_of_files(runs, made_tables, tmp_path):
    paths = [path for row in NOISE for path in runs(row)]
    made_tables(paths, TABLE, "forth")
    made_tables(paths[::-1], TABLE, "back")
    for name in ("scores.csv", "scores.pairs.csv", "scores.detectable.csv", *WRITTEN):
        assert (tmp_path / "forth" / name).read_bytes() == (tmp_path / "back" / name).read_bytes()


LEDGER = """table,system,variant,dataset,setting,metric,value,printed,source,evidence,note
one,forest,small,dives,300/70,med,7.78,7.78,Table 2,read,
one,c3d_svr,default,dives,300/70,spearman_rho,0.78,0.78,Table 2,recalled,
one,c3d_svr,default,vaults,300/70,spearman_rho,0.66,0.66,Table 2,read,
two,forest,small,dives,300/70,med,7.1,7.1,Table 3,secondary,last fragment
"""


@pytest.fixture
def figures(tmp_path):
    (tmp_path / "ledger.csv").write_text(LEDGER)
    return [str(tmp_path / "ledger.csv")]


def test_published_figures_join_and_stand_alone(runs, made_tables, figures):
    rows = ["no_video.default", "forest.small", "usdl.default"]
    paths = [path for row in ("no_video.default", "forest.small") for path in runs(row)]
    lines, _ = made_tables(
        paths,
        {**TABLE, "rows": rows, "published": figures},
        variants={"forest.small": {"training": "end_to_end", "selection": "test"}},
        absent={"main": {"judge_ceiling.default@dives": "weights_absent"}},
    )
    by = {(x["system"], x["metric"]): x for x in lines}
    twice = [x for x in lines if (x["system"], x["metric"]) == ("forest", "med")]
    assert [(x["published"], x["published_source"]) for x in twice] == [
        ("7.78", "Table 2; conflicts with 7.1 in Table 3"),
        ("7.1", "Table 3; secondary source; last fragment; conflicts with 7.78 in Table 2"),
    ]
    assert twice[0]["value"] == twice[1]["value"] != ""
    assert (by["forest", "med"]["training"], by["forest", "med"]["selection"]) == ("end_to_end", "test")
    assert by["no_video", "med"]["training"] == "frozen"
    alone = by["c3d_svr", "spearman_rho"]
    assert (alone["published"], alone["status"], alone["value"], alone["n_test"]) == ("0.78", "not_run", "", "")
    assert alone["published_source"] == "Table 2; not read again"
    assert alone["training"] == ""
    assert by["usdl", "med"]["status"] == "data_absent"  # a row of the table that said nothing where others did
    assert by["judge_ceiling", "med"]["status"] == "weights_absent"
    assert len(lines) == 2 * 4 + 1 + 1


def test_without_the_data_every_row_is_there_and_says_so(made_tables, figures):
    lines, compared = made_tables([], {**TABLE, "published": figures}, absent={"main": {"dives": "data_absent"}})
    assert {x["status"] for x in lines} == {"data_absent"}
    assert {x["system"] for x in lines} == {"no_video", "forest", "judge_ceiling", "c3d_svr"}
    assert compared == []


def test_a_data_set_may_bear_another_name_in_the_ledger(made_tables, figures):
    table = {**TABLE, "datasets": ["jumps"], "published": figures}
    lines, _ = made_tables([], table, published_as={"jumps": "vaults"})
    assert [x["published"] for x in lines if x["system"] == "c3d_svr"] == ["0.66"]
    with pytest.raises(InputError, match=r"has figures of dives, vaults, expected one of the table's data sets: jumps"):
        made_tables([], table)


def test_several_data_sets_get_a_mean_row(runs, made_tables):
    table = {**TABLE, "datasets": ["dives", "vaults"], "mean_over_datasets": True}
    paths = [path for row in NOISE for dataset in table["datasets"] for path in runs(row, dataset)]
    lines, compared = made_tables(paths, table)
    forest = [x for x in lines if x["system"] == "forest"]
    assert [x["dataset"] for x in forest] == ["dives", "dives", "vaults", "vaults", "mean", "mean"]
    assert forest[4]["n_test"] == "120"
    # the two data sets hold the same videos and predictions here, so that the mean is each of them, interval and all
    for column in ("value", "ci_low", "ci_high"):
        assert forest[4][column] == forest[0][column]
    assert [x["dataset"] for x in compared if x["system"] == "forest"] == [x["dataset"] for x in forest]


def test_a_mean_needs_all_of_its_data_sets(runs, made_tables):
    table = {**TABLE, "datasets": ["dives", "vaults"], "mean_over_datasets": True}
    paths = [*runs("forest.small", "dives"), *runs("no_video.default", "dives"), *runs("no_video.default", "vaults")]
    lines, _ = made_tables(paths, table)
    status = {(x["system"], x["dataset"]): x["status"] for x in lines if x["metric"] == "med"}
    assert status["no_video", "mean"] == "ok"
    assert status["forest", "mean"] == status["forest", "vaults"] == "data_absent"


def test_comparisons_are_made_on_common_videos(runs, made_tables):
    paths = [*runs("no_video.default"), *runs("judge_ceiling.default"), *runs("forest.small", n=50)]
    lines, compared = made_tables(paths, TABLE)
    assert [x["n_test"] for x in lines] == ["60", "60", "50", "50", "60", "60"]
    assert [x["n_common"] for x in compared] == ["50", "50", "60", "60"]


def test_every_pair_of_rows_and_what_could_have_been_seen(runs, made_tables, tmp_path):
    made_tables([path for row in NOISE for path in runs(row)], TABLE)
    pairs = list(csv.DictReader((tmp_path / "out" / "significance.csv").open()))
    assert list(pairs[0]) == ["table", *significance.COLUMNS]
    assert [(f"{x['system']}.{x['variant']}", x["other"]) for x in pairs] == 2 * [
        ("no_video.default", "forest.small"),
        ("no_video.default", "judge_ceiling.default"),
        ("forest.small", "judge_ceiling.default"),
    ]
    assert {(x["table"], x["n_common"]) for x in pairs} == {("main", "60")}
    assert [x["metric"] for x in pairs] == 3 * ["spearman_rho"] + 3 * ["med"]
    assert pairs[1]["p_permutation"] == "9.999e-05"  # one in 10,001, with all of its digits
    assert pairs[1]["p_holm"] == "0.0003"
    scored = pd.read_csv(tmp_path / "out" / "scores.csv").set_index(["system", "metric"])
    expected = scored.loc[("no_video", "med"), "value"] - scored.loc[("forest", "med"), "value"]
    assert pairs[3]["difference"] == f"{expected:.4f}"
    smallest = list(csv.DictReader((tmp_path / "out" / "detectable.csv").open()))
    assert list(smallest[0]) == ["table", *significance.DETECTABLE]
    assert [(x["metric"], x["n"], x["systems"]) for x in smallest] == [("spearman_rho", "60", "3"), ("med", "60", "3")]
    of_med = sorted(float(x["detectable"]) for x in pairs[3:])
    assert [float(smallest[1][f"{which}_detectable"]) for which in ("smallest", "median", "largest")] == of_med


def test_a_video_may_be_tested_in_several_folds(runs, made_tables):
    paths = [path for row in NOISE for path in runs(row)]
    for path in paths:  # each fold tests all 60 videos, or what was fold 0, 1 and 2 is tested by all
        whole = [
            pd.read_parquet(p) for p in paths if p.parts[-4] == path.parts[-4] and p.parts[-2][6:] == path.parts[-2][6:]
        ]
        fold = int(path.parts[-2][4])
        pd.concat(whole).drop_duplicates("video_id").assign(fold=fold).to_parquet(path.with_name("repeated.parquet"))
    paths = [path.with_name("repeated.parquet") for path in paths]
    with pytest.raises(InputError, match=r"video 'v000' is tested in folds \[0, 1, 2\] of seed 0.*over_folds: mean"):
        made_tables(paths, TABLE, "pooled")
    lines, compared = made_tables(paths, {**TABLE, "over_folds": "mean"})
    assert {(x["n_test"], x["n_folds"], x["status"]) for x in lines} == {("60", "3", "ok")}
    assert {x["n_common"] for x in compared} == {"60"}


def test_what_a_row_does_not_predict_is_no_line(runs, made_tables):
    """The forest alone predicts transitions, the ceiling predicts nothing else; neither stands in the others' way."""
    paths = [path for row in NOISE for path in runs(row)]
    for path in paths:
        table = pd.read_parquet(path)
        if path.parts[-4] != "no_video.default":
            steps = dict(true_transition_1=20.0, true_transition_2=60.0, predicted_transition_1=25.0)
            table = table.assign(**steps, predicted_transition_2=70.0)
        if path.parts[-4] == "judge_ceiling.default":
            table[["predicted_score", "predicted_execution"]] = np.nan
        table.to_parquet(path)
    lines, compared = made_tables(paths, {**TABLE, "metrics": ["med", "aiou_50"]})
    known = {(x["system"], x["metric"]): x["n_test"] for x in lines if x["value"]}
    assert known == {("no_video", "med"): "60", ("forest", "med"): "60"} | {
        (system, "aiou_50"): "60" for system in ("forest", "judge_ceiling")
    }
    assert [(x["system"], x["metric"], x["n_common"], x["gap_closed"]) for x in compared] == [
        ("forest", "med", "60", "")
    ]


def test_a_run_of_another_protocol_is_no_run_of_this_table(runs, made_tables):
    lines, compared = made_tables(runs("forest.small", protocol="official"), TABLE)
    assert {x["status"] for x in lines} == {"not_run"}
    assert compared == []


def test_a_training_mean_has_errors_and_no_rank(runs, made_tables):
    paths = runs("forest.small")
    for path in paths:
        pd.read_parquet(path).assign(predicted_score=60.0 + int(path.parent.name[4])).to_parquet(path)
    lines, _ = made_tables(paths, TABLE)
    by = {(x["system"], x["metric"]): x for x in lines}
    assert (by["forest", "spearman_rho"]["value"], by["forest", "spearman_rho"]["ci_low"]) == ("", "")
    assert by["forest", "spearman_rho"]["status"] == "ok"
    assert float(by["forest", "med"]["value"]) > 0


def test_paths_that_name_no_run_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected .../system.variant/dataset.protocol"):
        scoring.runs([tmp_path / "predictions.parquet"])


def test_small_numbers_have_no_signed_zero():
    assert tables._decimal(-0.00001) == "0.0000"
    assert tables._decimal(-0.25) == "-0.2500"
    assert tables._decimal(float("nan")) == ""
