"""Released data sets through the real workflow: absent, whole, and in part."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml
from running import ROOT, TABLES, clone, good, snakemake

pytestmark = pytest.mark.slow


def tables(path: Path) -> dict:
    return yaml.safe_load(path.read_text()).get("tables", {})


EXPERIMENTS = sorted(
    path
    for path in (ROOT / "experiments").glob("*.yaml")
    if (datasets := {dataset for table in tables(path).values() for dataset in table["datasets"]})
    and (not {"simdive", "dive_clips"} & datasets or path.stem == "pose_guided")
)


def made(path: Path) -> list[str]:
    return yaml.safe_load(path.read_text())["make_tables"]


@pytest.fixture(scope="module")
def absent(tmp_path_factory) -> Path:
    """All tables of the shipped experiments, made where no data set is at hand."""
    folder = clone(tmp_path_factory.mktemp("absent") / "clone")
    everything = {"make_tables": sorted({table for path in EXPERIMENTS for table in made(path)})}
    (folder / "everything.yaml").write_text(yaml.safe_dump(everything))
    files = " ".join(f"experiments/{path.name}" for path in EXPERIMENTS)
    answer = good(snakemake(folder, TABLES, configfile=f"{files} everything.yaml"))
    (folder / "log").write_text(answer.stdout + answer.stderr)
    return folder


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_without_data_every_row_of_every_experiment_is_there(absent, path):
    table = pd.read_csv(absent / TABLES)
    blocks = yaml.safe_load(path.read_text())
    for name in made(path):
        rows = table[table["table"] == name]
        assert set(rows["status"]) == {"data_absent"}
        assert set(rows["dataset"]) >= set(blocks["tables"][name]["datasets"])
        assert set(rows["system"] + "." + rows["variant"]) >= set(blocks["tables"][name]["rows"])
        if blocks["tables"][name].get("published"):
            assert rows["published"].notna().any()
            assert rows.loc[rows["published"].notna(), "published_source"].notna().all()


def test_what_is_absent_is_said_with_the_file_and_the_key(absent):
    assert "data set finediving is absent: no data/FineDiving/Annotations/" in (absent / "log").read_text()
    assert "datasets.finediving.root says where it lies" in (absent / "log").read_text()


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_a_dry_run_of_every_experiment(absent, path):
    answer = good(snakemake(absent, "--dry-run", TABLES, configfile=f"experiments/{path.name}"))
    assert "tabulate" in answer.stdout


RELEASES = {
    "FineDiving": ("finediving", dict(media=True)),
    "MTL-AQA": ("mtl_aqa", {}),
    "UNLV-Diving": ("unlv_diving", dict(media=True)),
    "UNLV-Vault": ("unlv_vault", {}),
    "AQA-7": ("aqa_7", {}),
    "MIT-Skating": ("mit_skating", {}),
    "JIGSAWS": ("jigsaws", {}),
    "kimore": ("kimore", {}),
    "ui_prmd": ("ui_prmd", {}),
}


@pytest.fixture(scope="module")
def present(tmp_path_factory, released) -> Path:
    """Every released data set, tiny, from the configuration to the tables; some frames of two are not in this copy."""
    folder = clone(tmp_path_factory.mktemp("present") / "clone")
    for name, (adapter, options) in RELEASES.items():
        released(adapter, folder / "data" / name, **options)
    (folder / "data" / "UNLV-Diving" / "diving_samples_len_151_lstm" / "003.avi").unlink()
    (folder / "released.yaml").write_text((ROOT / "tests" / "released.yaml").read_text())
    good(snakemake(folder, configfile="released.yaml"))
    return folder


def test_every_released_data_set_reaches_the_table(present):
    table = pd.read_csv(present / TABLES)
    means = table[(table["table"] == "released") & (table["system"] == "train_mean") & (table["metric"] == "med")]
    assert set(means["status"]) == {"ok"}
    assert set(means["dataset"]) == {
        *("finediving", "mtl_aqa", "unlv_diving", "unlv_vault", "aqa_7_gym_vault", "mit_skating"),
        *("jigsaws_suturing", "kimore", "ui_prmd"),
    }
    assert (means["value"] > 0).all()
    assert means.set_index("dataset").loc["mit_skating", "n_folds"] == 3
    published = table[(table["system"] == "c3d_svr") & (table["dataset"] == "mtl_aqa")]
    assert list(published["status"]) == ["data_absent"]  # of the dives only the annotations are there


def test_transitions_are_measured_where_steps_are_known_and_nowhere_else(present):
    table = pd.read_csv(present / TABLES)
    rows = table[(table["table"] == "steps") & (table["metric"] == "aiou_50") & (table["status"] == "ok")]
    assert list(rows["dataset"] + "." + rows["system"]) == ["finediving.constant_transitions"]
    assert 0 <= rows["value"].iloc[0] <= 100


def test_pictures_of_released_data_sets_become_features_and_figures(present):
    table = pd.read_csv(present / TABLES).set_index(["table", "dataset", "system"])
    assert table.loc[("pictures", "finediving", "feature_forest"), "n_test"] == 5
    assert table.loc[("pictures", "unlv_diving", "feature_forest"), "n_test"] == 2  # dive 3 is not in this copy
    assert table.loc[("pictures", "unlv_diving", "train_mean"), "n_test"] == 3
    assert table.loc[("skeletons", "kimore", "feature_forest"), "status"] == "ok"
    assert table.loc[("skeletons", "ui_prmd", "feature_forest"), "status"] == "ok"


def test_what_a_copy_lacks_is_listed_and_stops_nothing(present):
    failures = pd.read_csv(present / "results/failures.csv").set_index("video_id")
    [video_id] = failures.index[failures["stage"] == "absent"]
    assert "003.avi" in failures.loc[video_id, "reason"]


def test_every_row_names_the_command_that_makes_it_again(present):
    table = pd.read_csv(present / TABLES)
    assert set(table["command"]) == {"snakemake --cores 8 results/tables.csv --configfile released.yaml"}
