"""Clips that look the same: cut twice, shown twice, or mirrored, whatever their names say.

Eight evenly spaced frames of each clip are hashed, 64 bits a frame (the perceptual hash of `imagehash`); the distance
of two clips is the mean number of bits in which their frames differ. Unrelated pictures differ in about 32.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from aqa_pipeline import frames, stores
from aqa_pipeline.audit import Detail, Finding, Subject
from aqa_pipeline.errors import InputError

needs = {"hashing"}

FRAMES = 8  # a clip
NEAR = 8.0  # bits
BLOCK = 64  # clips compared with all others at a time: 12 MB for 3000
LISTED = 10_000  # pairs in the details, nearest first


def check(subject: Subject) -> Iterator[Finding | Detail]:
    """Pairs of clips nearer than `NEAR`, and nearer when one is mirrored."""
    hashes, rows, unread = _hashed(subject)
    yield Finding("clips_hashed", len(rows), len(subject.samples), warning=bool(unread))
    for video_id, why in unread.items():
        yield Detail(video_id, "", f"not hashed: {why}")
    looks = [("near_pairs", hashes[0])] + ([("mirrored_pairs", hashes[1])] if subject.mirrored else [])
    part, ids = subject.part[rows], subject.samples["video_id"].to_numpy(object)[rows]
    for measure, seen in looks:
        a, b, bits = near(hashes[0], seen)
        crossing = ((part[a] == "train") & (part[b] == "test")) | ((part[a] == "test") & (part[b] == "train"))
        note = f"clips that differ in {NEAR:g} of 64 bits a frame or fewer"
        yield Finding(measure, len(bits), warning=len(bits) > 0, note=note)
        yield Finding(f"{measure}.across_parts", int(crossing.sum()), len(bits), warning=bool(crossing.any()))
        for pair in np.argsort(bits, kind="stable")[:LISTED]:
            parts = f", {part[a[pair]]} and {part[b[pair]]}" if part[a[pair]] else ""
            text = f"{measure.removesuffix('_pairs')}: {bits[pair]:.4g} bits{parts}"
            yield Detail(ids[a[pair]], ids[b[pair]], text)


def near(hashes: np.ndarray, others: np.ndarray, limit: float = NEAR) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs a < b of clips whose hashes differ from the others' in at most `limit` bits a frame; both (N, F) uint64.

    Returns numbers a and b and the bits in which they differ, each (pairs,), in the order of a and b.
    """
    found = [(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))]
    for start in range(0, len(hashes), BLOCK):
        differ = np.bitwise_count(hashes[start : start + BLOCK, None] ^ others[None])  # (block, N, F)
        bits = differ.mean(axis=2, dtype=np.float32)
        after = np.arange(len(others)) > start + np.arange(len(bits))[:, None]
        a, b = np.nonzero((bits <= limit) & after)
        found.append(((start + a).astype(np.int32), b.astype(np.int32), bits[a, b]))
    a, b, bits = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return a, b, bits


def _hashed(subject: Subject) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """Hashes (1 or 2, N', F) as the clips are and mirrored, the rows they belong to (N',), why others have none."""
    sides = (1, -1) if subject.mirrored else (1,)
    hashes, rows, unread = [], [], {}
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(stores.read(path, kind="frames")) for path in subject.stores]
        for row, sample in enumerate(subject.samples.itertuples()):
            try:
                pictures = _stored(readers, sample.video_id) if readers else _read(sample)
                hashes.append([[_hash(picture[:, ::side]) for picture in pictures] for side in sides])
                rows.append(row)
            except InputError as error:
                unread[sample.video_id] = str(error)
    return np.array(hashes, np.uint64).reshape(-1, len(sides), FRAMES).transpose(1, 0, 2), np.array(rows, int), unread


def _stored(readers: Sequence[stores.Reader], video_id: str) -> list[np.ndarray]:
    for reader in readers:
        if video_id in reader:
            clip = frames.StoredFrames(reader, video_id)
            return [clip[place] for place in _places(0, len(clip) - 1)]
    raise InputError("no frame store holds it")


def _read(sample) -> list[np.ndarray]:
    """Pictures at the places, from a video in one pass or from a folder one by one."""
    path, first, last = Path(str(sample.path)), _number(sample.first_frame, 0), _number(sample.last_frame, None)
    if path.is_dir() and last is not None:
        return [picture for n in _places(first, last) for _, _, picture in frames.decode(path, first=n, last=n)]
    last = frames.probe(path).n_frames - 1 if last is None else last
    wanted, found = _places(first, last), {}
    for number, _, picture in frames.decode(path, first=first, last=last):
        if number in wanted:
            found[number] = picture
    missing = [number for number in wanted if number not in found]
    if missing:
        raise InputError(f"{path}: no frame {missing[0]}")
    return [found[number] for number in wanted]


def _places(first: int, last: int) -> list[int]:
    return np.linspace(first, last, FRAMES).astype(int).tolist()


def _number(value, default):
    import pandas as pd

    return default if pd.isna(value) else int(value)


def _hash(picture: np.ndarray) -> int:
    import imagehash
    from PIL import Image

    bits = imagehash.phash(Image.fromarray(np.ascontiguousarray(picture))).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
