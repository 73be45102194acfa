"""Simulate, render and judge one shard of the embedded data set."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline import plugins
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.simdive import clips
from aqa_pipeline.stages import Options, command_line, made_by, progress

VERSION = 2


def simulate(videos: Path, truth: Path, *, shard: int = 0, shards: int = 1, options: Options = {}) -> None:
    """Write one shard: mp4 files and annotations.parquet to the folder VIDEOS, the truth to the store TRUTH.

    Options: seed, n_dives, width, height, fps, aftermath, inject, other_faults; see aqa_pipeline/simdive/clips.py.
    """
    for name in options:
        if name not in SETTINGS:
            raise InputError(f"options: unknown '{name}', {nearest(name, SETTINGS)}")
    clips.simulate_shard(
        videos,
        truth,
        **options,
        shard=shard,
        n_shards=shards,
        made_by=made_by("simulate", version=VERSION),
        progress=lambda dives: progress(dives, "simulate"),
    )


SETTINGS = [
    name
    for name in plugins.options("simdive", "clips", "simulate_shard")
    if name not in ("shard", "n_shards", "made_by", "progress")
]

if __name__ == "__main__":
    command_line(simulate)
