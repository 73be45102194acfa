"""Clips that other data sets hold too: weights trained there may have seen the test clips of here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.audit import Detail, Finding, Subject

if TYPE_CHECKING:
    import pandas as pd

needs = {"identity", "others"}

AGREE = 1  # frame
ENDS = ("first_frame", "last_frame")


def check(subject: Subject) -> Iterator[Finding | Detail]:
    """Identities shared with each other data set: their parts here and there, scores and frame ranges."""
    own = subject.samples.assign(part=subject.part)
    repeated = own["identity"].dropna().duplicated()
    yield Finding("identities_twice", int(repeated.sum()), int(own["identity"].notna().sum()), warning=repeated.any())
    for name, samples in sorted((subject.others or {}).items()):
        if "identity" not in samples or samples["identity"].isna().all():
            yield Finding(f"{name}.shared", np.nan, note="bears no identities")
        else:
            yield from _shared(own, samples, name)


def _shared(own: pd.DataFrame, samples: pd.DataFrame, name: str) -> Iterator[Finding | Detail]:
    columns = ["video_id", "identity", "part", "score", "difficulty", "action_type", *ENDS]
    here, there = (t.dropna(subset=["identity"]).reindex(columns=columns) for t in (own, samples))
    both = here.merge(there, on="identity", suffixes=("", "_there"))
    both = both.sort_values("video_id", ignore_index=True)
    parts = both[["part", "part_there"]].replace("", None).fillna("all")
    yield Finding(f"{name}.shared", len(both), len(own), warning=len(both) > 0, note=f"clips that {name} holds too")
    for (a, b), rows in parts.groupby(["part", "part_there"], sort=True):
        leak = {a, b} == {"train", "test"}
        note = "seen in training there" if leak and a == "test" else "its label trains here" if leak else ""
        yield Finding(f"{name}.{a}_here_{b}_there", len(rows), len(both), warning=leak, note=note)
    agrees = dict(_compared(both))
    for what, equal in agrees.items():
        note = f"both ends within {AGREE} frame" if what == "frames" else ""
        number, of = int(np.nansum(equal)), int(np.isfinite(equal).sum())
        yield Finding(f"{name}.equal_{what}", number, of, warning=number < of, note=note)
    for row, place in zip(both.itertuples(), parts.itertuples(), strict=True):
        other = [what for what, equal in agrees.items() if equal[row.Index] == 0]
        text = f"{place.part} here, {place.part_there} there" + (f"; other {', '.join(other)}" if other else "")
        yield Detail(row.video_id, f"{name}: {row.video_id_there}", text)


def _compared(both: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """For scores, difficulties, action types and frames: 1 where both sides agree, 0 where not, NaN where unknown."""
    for what, columns, margin in (
        ("scores", ("score",), 0.005),
        ("difficulties", ("difficulty",), 0.005),
        ("frames", ENDS, AGREE),
    ):
        here, there = (both[[c + side for c in columns]].astype(float).to_numpy() for side in ("", "_there"))
        away = np.abs(here - there).max(axis=1)
        if np.isfinite(away).any():
            yield what, np.where(np.isfinite(away), away <= margin, np.nan)
    known = (both["action_type"].notna() & both["action_type_there"].notna()).to_numpy()
    if known.any():
        equal = (both["action_type"].astype(str) == both["action_type_there"].astype(str)).to_numpy()
        yield "action_types", np.where(known, equal, np.nan)
