"""Which shard a video belongs to: a stable hash of its id, so that adding a video changes one shard and not all."""

from __future__ import annotations

import hashlib


def shard_of(video_id: str, n_shards: int) -> int:
    """Number of the shard, 0 to n_shards - 1."""
    return int(hashlib.sha1(video_id.encode()).hexdigest(), 16) % n_shards
