# The only helpers of the workflow: the checked configuration, and names of files made from it.
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, workflow.basedir)  # the package beside this file, also when it is not installed

from aqa_pipeline import config as settings_module
from aqa_pipeline import plugins
from aqa_pipeline.errors import InputError

try:
    SETTINGS = settings_module.check(config)
except InputError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    dataset=r"[a-z0-9_]+",
    shard=r"[0-9]{4}",
    detector=r"[a-z0-9_]+",
    estimator=r"[a-z0-9_]+",
    feature_set=r"[a-z0-9_]+",
    protocol=r"[a-z0-9_]+",
    system=r"[a-z0-9_]+",
    variant=r"[a-z0-9_]+",
    table=r"[a-z0-9_]+",
    fold=r"[0-9]+",
    seed=r"[0-9]+",


# A cluster is asked for the device a rule wants. Here, a device that is not there must not keep two jobs from running
# side by side: the default profile admits one GPU job at a time.
GPU = int(workflow.non_local_exec or any(Path("/dev").glob("nvidia[0-9]*")))


def as_json(options):
    """One spelling of a set of options, so that nothing but a changed value re-runs a job."""
    return json.dumps(options, sort_keys=True, default=str)


def in_order(blocks):
    """As `as_json`, for blocks whose order matters."""
    return json.dumps(blocks, default=str)


def plugin(room, name):
    """The plugin that a block of the configuration uses."""
    return getattr(SETTINGS, room)[name].use or name


def stage_version(stage):
    """The number a stage carries: Snakemake does not see edits inside the package, a new number re-runs it."""
    return plugins.constant("stages", stage, "VERSION")


def shards(dataset):
    return [f"{shard:04d}" for shard in range(SETTINGS.datasets[dataset].shards)]


def is_simulated(dataset):
    return plugins.constant("datasets", plugin("datasets", dataset), "simulated_by") is not None


SIMULATED = "|".join(name for name in SETTINGS.datasets if is_simulated(name)) or "none"


def source_of(feature_set):
    """What a feature set is made from: frames, keypoints or files."""
    return plugins.constant("features", plugin("features", feature_set), "source")


def store_of_features(feature_set):
    """Path of the stores of a feature set, with the data set and the shard left open."""
    return f"results/features/{{dataset}}/{feature_set}/{{shard}}.h5"


def needs(system):
    """What a system reads besides the samples: features, draws, exemplars, sub_actions, truth."""
    return plugins.constant("systems", system, "needs") or set()


# Networks are trained step by step over stored draws, a job a fold; classics are fitted, one job for all folds.
NETWORKS = "|".join(system for system in SETTINGS.systems if "draws" in needs(system)) or "none"
CLASSICS = "|".join(system for system in SETTINGS.systems if "draws" not in needs(system)) or "none"


def runs(dataset, protocol, row):
    """Folders of all folds and seeds of a row."""
    folds = range(SETTINGS.datasets[dataset].protocols[protocol].folds)
    return [
        f"results/runs/{row}/{dataset}.{protocol}/fold{fold}.seed{seed}"
        for fold in folds
        for seed in SETTINGS.variant(row).seeds
    ]


def row_of(wildcards):
    return f"{wildcards.system}.{wildcards.variant}"


def rows_of(table):
    """Rows of a table with its floor and ceiling, each once, in order."""
    block = SETTINGS.tables[table]
    return list(dict.fromkeys([*filter(None, (block.floor, block.ceiling)), *block.rows]))


def used_datasets():
    """Data sets of the tables that are made, each once, in order."""
    return list(dict.fromkeys(dataset for table in SETTINGS.make_tables for dataset in SETTINGS.tables[table].datasets))


def annotation_files(dataset):
    """Files that the samples of a data set are read from, as far as they are there before the run."""
    if is_simulated(dataset):
        return []
    return plugins.load("datasets", plugin("datasets", dataset)).annotation_files(**SETTINGS.datasets[dataset].options)


def adapter_options(dataset):
    """What the data set's file is called with: for simulated ones the folders with the videos."""
    if is_simulated(dataset):
        return {"folders": [f"results/videos/{dataset}/{shard}" for shard in shards(dataset)]}
    return SETTINGS.datasets[dataset].options
