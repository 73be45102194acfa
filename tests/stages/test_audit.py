"""The audit stage and `aqa audit`, on releases as authors made them."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from aqa_pipeline import audit as room
from aqa_pipeline import cli, plugins
from aqa_pipeline.errors import InputError
from aqa_pipeline.stages.audit import audit
from aqa_pipeline.stages.make_folds import make_folds

ROOT = Path(__file__).parents[2]


def samples(root, adapter, path):
    plugins.load("datasets", adapter).samples(root=root).to_parquet(path, index=False)
    return path


def value(path, check, measure):
    findings = pd.read_csv(path)
    [row] = findings[(findings["check"] == check) & (findings["measure"] == measure)].itertuples()
    return row.value


@pytest.fixture
def tables(release, tmp_path):
    roots = {name: release(name) for name in ("finediving", "mtl_aqa")}
    return roots, {name: samples(root, name, tmp_path / f"{name}.parquet") for name, root in roots.items()}


def test_the_stage_writes_findings_details_and_a_picture(tables, tmp_path):
    roots, paths = tables
    out = tmp_path / "audit" / "finediving.csv"
    about = dict(name="finediving", adapter="finediving", options={"root": str(roots["finediving"])}, bootstrap=50)
    audit(paths["finediving"], out, against=[paths["mtl_aqa"]], **about)
    made = sorted(path.name for path in out.parent.iterdir())
    assert made == ["finediving.csv", "finediving.details.csv", "finediving.png"]
    assert list(pd.read_csv(out).columns) == room.COLUMNS
    assert list(pd.read_csv(out.with_suffix(".details.csv")).columns) == room.DETAILS
    assert value(out, "counts", "samples") == 21
    assert value(out, "overlap", "mtl_aqa.shared") == 6
    assert value(out, "overlap", "mtl_aqa.equal_scores") == 6
    assert value(out, "label_errors", "label_errors") > 0


def test_the_same_input_gives_the_same_bytes(tables, tmp_path):
    roots, paths = tables
    about = dict(name="mtl_aqa", adapter="mtl_aqa", options={"root": str(roots["mtl_aqa"])}, bootstrap=50)
    for name in ("once", "twice"):
        audit(paths["mtl_aqa"], tmp_path / f"{name}.csv", **about)
    for ending in (".csv", ".details.csv", ".png"):
        once, twice = (tmp_path / f"{name}{ending}" for name in ("once", "twice"))
        assert once.read_bytes() == twice.read_bytes()


def test_the_stage_takes_folds(tables, tmp_path):
    roots, paths = tables
    make_folds(paths["finediving"], tmp_path / "folds.parquet", protocol="k_fold", n_folds=3)
    about = dict(name="finediving", adapter="finediving", options={"root": str(roots["finediving"])}, bootstrap=50)
    audit(paths["finediving"], tmp_path / "a.csv", folds=tmp_path / "folds.parquet", **about)
    findings = pd.read_csv(tmp_path / "a.csv").set_index("measure")
    assert findings.loc["global_mean.mse", "n"] == 21
    assert "score.mean.test" not in findings.index


def aqa(*arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, "-m", "aqa_pipeline.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "150"},
    )


def test_a_folder_is_audited_without_a_configuration(release, tmp_path):
    roots = {name: release(name) for name in ("finediving", "mtl_aqa")}
    answer = aqa(
        "audit", "finediving", "--root", roots["finediving"], "--against", f"mtl_aqa={roots['mtl_aqa']}", cwd=tmp_path
    )
    assert answer.returncode == 0, answer.stderr
    assert "finediving: " in answer.stdout.splitlines()[0]
    assert "mtl_aqa.shared" in answer.stdout
    assert (tmp_path / "results/audit/finediving.png").is_file()
    assert value(tmp_path / "results/audit/finediving.csv", "counts", "train") == 16


def test_a_block_of_the_configuration_is_audited(release, tmp_path):
    roots = {name: str(release(name)) for name in ("finediving", "mtl_aqa")}
    over = {
        "datasets": {
            "dives": {
                "use": "finediving",
                "root": roots["finediving"],
                "protocols": {"thirds": {"use": "k_fold", "folds": 3}},
            },
            "mtl": {"use": "mtl_aqa", "root": roots["mtl_aqa"]},
        },
        "audit": {"dives": {"against": ["mtl"]}},
        "bootstrap": 100,
    }
    (tmp_path / "over.yaml").write_text(yaml.safe_dump(over))
    subject = cli.audited("dives", [tmp_path / "over.yaml"])
    assert [len(fold.test) for fold in subject.splits] == [7, 7, 7]
    assert set(subject.others) == {"mtl"}
    assert subject.bootstrap == 100
    with pytest.raises(InputError, match="--protocol: dives has no 'third', did you mean 'thirds'"):
        cli.audited("dives", [tmp_path / "over.yaml"], protocol="third")
    with pytest.raises(InputError, match="no data set 'dive' in the configuration: did you mean 'dives'"):
        cli.audited("dive", [tmp_path / "over.yaml"])
    with pytest.raises(InputError, match="no data set 'mlt' in the configuration: did you mean 'mtl'"):
        cli.audited("dives", [tmp_path / "over.yaml"], against=["mlt"])


def test_what_the_configuration_compares_with_may_be_absent(release, tmp_path, capsys):
    over = {"datasets": {"finediving": {"root": str(release("finediving"))}, "mtl_aqa": {"root": str(tmp_path)}}}
    (tmp_path / "over.yaml").write_text(yaml.safe_dump(over))
    assert cli.audited("finediving", [tmp_path / "over.yaml"]).others == {}
    assert "not compared with mtl_aqa: it is not at hand" in capsys.readouterr().err


def test_a_protocol_keeps_out_what_another_data_set_tests(release, tmp_path):
    protocols = {"official": {}, "clean": {"use": "official", "excluding": ["mtl_aqa"]}}
    over = {
        "datasets": {
            "finediving": {"root": str(release("finediving")), "protocols": protocols},
            "mtl_aqa": {"root": str(release("mtl_aqa"))},
        }
    }
    (tmp_path / "over.yaml").write_text(yaml.safe_dump(over))
    subject = cli.audited("finediving", [tmp_path / "over.yaml"], protocol="clean")
    tested = set(subject.others["mtl_aqa"].query("part == 'test'")["identity"])
    training = set(subject.samples["identity"].iloc[subject.splits[0].train])
    assert len(training) < 16
    assert not tested & training


MISTAKES = {
    "no 'finedivng' in datasets: did you mean 'finediving'": ("finedivng", "--root", "x"),
    "--root: kimore also takes exercise": ("kimore", "--root", "x"),
    "--root: custom takes csv": ("custom", "--root", "x"),
    "config.yaml: no such configuration file": ("finediving",),
    "no 'ofical' in protocols: did you mean 'official'": ("mtl_aqa", "--root", "{mtl}", "--protocol", "ofical"),
    "finediving: no folder, expected finediving=FOLDER": ("mtl_aqa", "--root", "{mtl}", "--against", "finediving"),
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes_are_one_line(release, tmp_path, message):
    root = release("mtl_aqa")
    answer = aqa("audit", *(word.format(mtl=root) for word in MISTAKES[message]), cwd=tmp_path)
    assert answer.returncode == 2
    assert message in answer.stderr.splitlines()[-1]
    assert "Traceback" not in answer.stderr


def test_the_rule_asks_for_samples_folds_and_other_data_sets(release, tmp_path):
    roots = {name: str(release(name)) for name in ("finediving", "mtl_aqa")}
    over = {
        "datasets": {
            "finediving": {"root": roots["finediving"], "protocols": {"official": {}}},
            "mtl_aqa": {"root": roots["mtl_aqa"]},
        },
        "audit": {"finediving": {"against": ["mtl_aqa"], "hashing": True}},
    }
    (tmp_path / "over.yaml").write_text(yaml.safe_dump(over))
    target = "results/audit/finediving.details.csv"
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", target, "--directory", str(tmp_path)]
    answer = subprocess.run(
        [
            *command,
            "--snakefile",
            "Snakefile",
            "--configfile",
            "config.yaml",
            str(tmp_path / "over.yaml"),
            "--printshellcmds",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    asked = answer.stdout + answer.stderr
    for path in ("folds/finediving.official.parquet", "samples/mtl_aqa.parquet", "frames/finediving/0000.h5"):
        assert f"results/{path}" in asked
    assert "--against results/samples/mtl_aqa.parquet" in asked
    assert "--hashing" in asked
