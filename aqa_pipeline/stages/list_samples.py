"""List the samples of a data set: one table, and the same rows again shard by shard."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline import plugins, stores
from aqa_pipeline.shards import shard_of
from aqa_pipeline.stages import Options, command_line

VERSION = 3


def list_samples(out: Path, shards: list[Path], *, adapter: str, options: Options = {}) -> None:
    """Write the samples of a data set to OUT and, parted by a hash of their ids, to SHARDS.

    The same samples give the same bytes: a shard that did not change makes nothing after it run again.
    """
    table = plugins.load("datasets", adapter).samples(**options)
    table["shard"] = [shard_of(video_id, len(shards)) for video_id in table["video_id"]]
    for number, path in enumerate(shards):
        _write(table[table["shard"] == number].reset_index(drop=True), path)
    _write(table, out)


def _write(table, path: Path) -> None:
    with stores.replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


if __name__ == "__main__":
    command_line(list_samples)
