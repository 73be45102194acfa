"""Runs of the real stage in processes of their own: killed and started again, and two that train together."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.protocols import k_fold
from aqa_pipeline.stages.draw_pairs import draw_pairs
from aqa_pipeline.stages.train import train
from aqa_pipeline.training import checkpoints, ranks

N, T, D = 14, 9, 3
STEPS, BATCH = 60, 5
SMALL = dict(dim=8, heads=2, layers=1)
STILL = SMALL | dict(input_dropout=0.0, head_dropout=0.0, sub_action_loss=0.1)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Samples, folds, features that follow the marks, and draws; every frame is labelled."""
    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    steps = [dict(sub_action="take_off", first_frame=0), dict(sub_action="entry", first_frame=5)]
    ids, marks = [f"v{i:02d}" for i in range(N)], rng.uniform(10, 28, N)
    samples = pd.DataFrame(dict(video_id=ids, score=3 * marks, difficulty=3.0, steps=[steps] * N, action_type="107b"))
    samples.assign(judge_scores=None, group=None).to_parquet(folder / "samples.parquet")
    k_fold.folds(samples.assign(group=None), n_folds=2, seed=0).to_parquet(folder / "folds.parquet")
    with stores.write(folder / "motion" / "0000.h5", kind="features", version=1, made_by={}) as store:
        for video_id, mark in zip(ids, marks, strict=True):
            features = (mark + rng.normal(size=(T, D))).astype(np.float32)
            store.put(video_id, {"features": features, "first_frame": np.arange(T)})
    paths = folder / "samples.parquet", folder / "folds.parquet"
    draw_pairs(*paths, folder / "draws.parquet", [folder / "motion" / "0000.h5"], steps=STEPS, batch=BATCH)
    return folder


def arguments(tables, out, *, devices=1, options=SMALL, **training):
    """Of the stage: paths, and options by name."""
    training = dict(steps=STEPS, batch=BATCH, devices=devices) | training
    paths = tables / "samples.parquet", tables / "folds.parquet", out, tables / "motion" / "0000.h5"
    return paths, dict(
        system="pose_guided", adapter="simdive", fold=1, seed=2, device="cpu", draws=tables / "draws.parquet",
        options=json.dumps(options), training=json.dumps(training), clips='{"n_frames": 6}',
    )  # fmt: skip


def command(*args, devices=1, **options):
    launcher = [] if devices == 1 else ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(devices)]
    paths, named = arguments(*args, devices=devices, **options)
    named = [f"--{name}={value}" for name, value in named.items()]
    return [sys.executable, *launcher, "-m", "aqa_pipeline.stages.train", *map(str, paths), *named]


def run(*args, **options):
    """In a process of its own; what it says."""
    done = subprocess.run(command(*args, **options), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def run_here(*args, **options):
    (*paths, features), named = arguments(*args, **options)
    read = {name: json.loads(named[name]) for name in ("options", "training", "clips")}
    train(*paths, [features], **{**named, **read, "fold": [named["fold"]]})


def of_run(out):
    return out / "fold1.seed2"


def test_a_run_that_was_killed_goes_on_to_the_same_weights_bit_by_bit(tables, tmp_path):
    options = dict(average=0.9, checkpoint_every=1)
    state = of_run(tmp_path / "killed") / checkpoints.NAME
    process = subprocess.Popen(command(tables, tmp_path / "killed", **options), stderr=subprocess.DEVNULL)
    while not state.exists() and process.poll() is None:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert [path.name for path in state.parent.glob("[!.]*")] == [checkpoints.NAME]
    went_on = run(tables, tmp_path / "killed", **options)
    assert f"{state}: training goes on after step" in went_on
    run_here(tables, tmp_path / "whole", **options)
    for name in ("weights.safetensors", "history.csv", "config.json"):
        one, other = (of_run(tmp_path / folder) / name for folder in ("killed", "whole"))
        assert one.read_bytes() == other.read_bytes()
    assert not state.exists()


def test_two_processes_take_the_steps_of_one(tables, tmp_path):
    run_here(tables, tmp_path / "one", options=STILL)
    run(tables, tmp_path / "two", options=STILL, devices=2, checkpoint_every=50)
    one, two = (load_file(of_run(tmp_path / name) / "weights.safetensors") for name in ("one", "two"))
    for name, weights in one.items():
        # Attention does not see the bias of its keys: its gradient is rounding alone, which Adam makes steps of.
        kept = slice(SMALL["dim"], None) if name.endswith("to_key_value.bias") else ...
        np.testing.assert_allclose(two[name][kept], weights[kept], atol=1e-6, err_msg=name)
    one, two = (pd.read_csv(of_run(tmp_path / name) / "history.csv") for name in ("one", "two"))
    pd.testing.assert_frame_equal(one, two, rtol=1e-4)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells a process that its parent died")
def test_a_process_dies_with_its_launcher():
    child = "from aqa_pipeline.training import ranks; import time; ranks._die_with_launcher(); print(1); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], start_new_session=True)"
    launcher = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)
    assert launcher.stdout.readline() == b"1\n"
    launcher.kill()
    killed = time.monotonic()
    assert launcher.stdout.read() == b""  # ends when the last that can write to it has ended
    assert time.monotonic() - killed < 30
    assert launcher.wait() == -signal.SIGKILL


def test_the_number_of_processes_is_that_of_the_devices():
    with pytest.raises(InputError, match=r"training\.devices: found 2 but 1 process\(es\), expected `python -m torch"):
        ranks.joined(2).__enter__()
