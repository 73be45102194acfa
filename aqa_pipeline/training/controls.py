"""Runs that must fail: what a system scores once its inputs or its labels no longer belong together.

Both stay within an action type, so the type itself still tells what it tells, and a sound system falls back to the row
`no_video`. The exchange is drawn once, from a seed, and stored with the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

CONTROLS = ("none", "permute_inputs", "permute_labels")


def exchange(samples: pd.DataFrame, video_ids: Sequence[str], *, seed: int) -> dict[str, str]:
    """Another video of the same action type for each video: one cycle a type, so nothing stays where it was.

    Types with a single video are exchanged among themselves.
    """
    rng = np.random.default_rng([seed, 20])
    types = samples.set_index("video_id")["action_type"].fillna("")
    groups: dict[str, list[str]] = {}
    for video_id in sorted(video_ids):
        groups.setdefault(types[video_id], []).append(video_id)
    alone = [members[0] for members in groups.values() if len(members) == 1]
    whole = [members for members in groups.values() if len(members) > 1]
    swapped: dict[str, str] = {}
    for members in [*whole, alone] if alone else whole:
        order = [members[i] for i in rng.permutation(len(members))]
        swapped |= dict(zip(order, [*order[1:], order[0]], strict=True))
    return swapped


def drawn(control: str, samples: pd.DataFrame, parts: Mapping[str, Sequence[str]], *, seed: int) -> dict[str, str]:
    """The exchange of a control: inputs among all videos of `parts`, labels among the training part alone."""
    if control not in CONTROLS:
        raise InputError(f"control: found '{control}', {nearest(control, CONTROLS)}")
    if control == "none":
        return {}
    everyone = [video_id for ids in parts.values() for video_id in ids]
    return exchange(samples, parts["train"] if control == "permute_labels" else everyone, seed=seed)
