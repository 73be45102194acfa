"""Another workflow that uses ours by Snakemake's `module`, from its own folder, with its own configuration."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from running import clone, good, planned, snakemake

pytestmark = pytest.mark.slow

SNAKEFILE = """
configfile: "study.yaml"


module aqa:
    snakefile:
        "../house/Snakefile"
    config:
        config["aqa"]
    prefix:
        "aqa"


use rule * from aqa as aqa_*


rule best:
    default_target: True
    input:
        "aqa/results/tables.csv",
    output:
        "best.csv",
    shell:
        "grep -e spearman_rho, {input} > {output}"
"""

STUDY = """
aqa:
  make_tables: [own]
  bootstrap: 100
  datasets:
    own: {use: custom, csv: data/own.csv, starts_at: features, shards: 2, protocols: {k_fold: {folds: 2}}}
  features:
    own: {use: precomputed}
  systems:
    feature_forest:
      own: {features: own, trees: 20}
  tables:
    own: {datasets: [own], protocol: k_fold, rows: [feature_forest.own], floor: train_mean.default, ceiling: null}
"""


@pytest.fixture
def study(tmp_path) -> Path:
    """The folder of another workflow beside a copy of ours, whose stage has another number than the installed one."""
    house = clone(tmp_path / "house")
    stage = house / "aqa_pipeline" / "stages" / "import_features.py"
    stage.write_text(re.sub(r"^VERSION = \d+$", "VERSION = 4711", stage.read_text(), flags=re.M))
    (tmp_path / "study" / "data").mkdir(parents=True)
    (tmp_path / "study" / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "study" / "study.yaml").write_text(STUDY)
    return tmp_path / "study"


def test_it_runs_in_the_other_workflow_and_writes_under_its_prefix(study):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(12):
        np.savez(study / "data" / f"v{i}.npz", features=rng.uniform(0.5, 1.0, (9, 5)).astype(np.float32) + i)
        rows.append({"video_id": f"v{i}", "path": f"v{i}.npz", "score": 40 + 3.5 * i, "difficulty": 3.0})
    pd.DataFrame(rows).to_csv(study / "data" / "own.csv", index=False)
    good(snakemake(study, configfile=""))
    assert {path.name for path in study.iterdir() if not path.name.startswith(".")} == {
        *("Snakefile", "study.yaml", "data", "aqa", "best.csv")
    }
    table = pd.read_csv(study / "aqa" / "results" / "tables.csv").set_index(["system", "metric"])
    assert table.loc[("feature_forest", "spearman_rho"), "value"] > 0.8
    assert table.command.unique() == ["snakemake --cores 8 aqa/results/tables.csv --configfile study.yaml"]
    with h5py.File(study / "aqa" / "results" / "features" / "own" / "own" / "0000.h5") as store:
        assert store.attrs["version"] == 4711  # jobs too ran the package of that house
    answer = good(snakemake(study, "--dry-run", configfile=""))
    assert "Nothing to be done" in answer.stdout + answer.stderr


def test_simulated_dives_are_planned_under_the_prefix(study):
    """The whole toy DAG: no path of a command is left where a run of its own would write."""
    (study / "study.yaml").write_text(
        "aqa:\n" + re.sub("^", "  ", (study.parent / "house/tiny.yaml").read_text(), flags=re.M)
    )
    answer = good(snakemake(study, "--dry-run", "--printshellcmds", configfile=""))
    jobs = planned(answer)
    assert (jobs["aqa_simulate"], jobs["aqa_list_samples_simdive"]) == (2, 1)
    assert sum(n for rule, n in jobs.items() if rule.startswith("aqa_train_")) == 9
    assert re.findall(r"(?<!aqa/)results/[\w./]+", answer.stdout + answer.stderr) == []


def test_a_mistake_in_the_configuration_of_the_other_workflow_is_named(study):
    (study / "study.yaml").write_text("aqa: {tabels: {}}\n")
    answer = snakemake(study, "--dry-run", configfile="")
    assert answer.returncode != 0
    assert "tabels: unknown key, did you mean 'tables'" in answer.stdout + answer.stderr
