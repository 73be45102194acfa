"""Clips a second from our stores against loose files and against the video itself, and how many files these are.

    OMP_NUM_THREADS=1 python benchmarks/stores.py            writes benchmarks/stores.md

Every way reads the same frames of the same clips, in an order that was shuffled, in one, two and four processes. With a
cold cache the operating system has forgotten the files.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pandas as pd
from PIL import Image

from aqa_pipeline import frames, stores
from aqa_pipeline.training.pictures import Pictures, View

N_CLIPS, WIDTH, HEIGHT = 48, 456, 256  # the size to which FineDiving's frames are resized
N_SAMPLED, SEEN = 32, 112  # frames of a clip; rows of pixels that a C3D sees
READERS, ROUNDS = (1, 2, 4), 3
CHUNKS = {"contiguous, as written": None, "16 kB": 2**14, "64 kB": 2**16, "256 kB": 2**18, "1 MB": 2**20}


def sampled(n_frames: int) -> np.ndarray:
    """Which frames of a clip are read: evenly spread, as most systems sample."""
    return np.linspace(0, n_frames - 1, N_SAMPLED).round().astype(int)


# The ways. Each takes a folder and a clip's id; what is opened stays open in its process.


OPEN = contextlib.ExitStack()  # until the process ends


@functools.cache
def opened(path: Path, kind: str) -> stores.Reader:
    return OPEN.enter_context(stores.read(path, kind=kind))


@functools.cache
def listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def loose_pillow(folder: Path, video_id: str) -> None:
    """As the released loaders do."""
    files = listed(folder / "loose" / video_id)
    for index in sampled(len(files)):
        np.asarray(Image.open(files[index]).convert("RGB"))


def loose_opencv(folder: Path, video_id: str) -> None:
    files = listed(folder / "loose" / video_id)
    for index in sampled(len(files)):
        cv2.imread(str(files[index]))


def video(folder: Path, video_id: str) -> None:
    """From the start to the last frame, as inter-coded frames need those before; only sampled ones are converted."""
    capture = cv2.VideoCapture(str(folder / "videos" / f"{video_id}.mp4"))
    wanted = set(sampled(int(capture.get(cv2.CAP_PROP_FRAME_COUNT))).tolist())
    for index in range(max(wanted) + 1):
        capture.grab()
        if index in wanted:
            capture.retrieve()


def stored(folder: Path, video_id: str, name: str = "frames.h5") -> None:
    clip = frames.StoredFrames(opened(folder / name, "frames"), video_id)
    for _ in clip.take(sampled(len(clip))):
        pass


def stored_small(folder: Path, video_id: str) -> None:
    stored(folder, video_id, "small.h5")


@functools.cache
def pictures(folder: Path) -> Pictures:
    view = View(resize=(200, SEEN), swap_resize=False, crop=SEEN, n_frames=N_SAMPLED)
    return Pictures([opened(folder / "frames.h5", "frames")], view, memory_mb=2000)


def stored_kept(folder: Path, video_id: str) -> None:
    """What a system is shown; from the second epoch on resized frames come from memory."""
    pictures(folder).read(video_id)


FRAME_WAYS: dict[str, Callable[[Path, str], None]] = {
    "loose JPEG files, Pillow": loose_pillow,
    "loose JPEG files, OpenCV": loose_opencv,
    "the video, decoded again": video,
    "frame store": stored,
    f"frame store, `max_height: {SEEN}`": stored_small,
    f"frame store, resized frames kept ({SEEN} x {SEEN})": stored_kept,
}


def loose_keypoints(folder: Path, video_id: str) -> None:
    np.load(folder / "arrays" / f"{video_id}.npy")


def keypoint_store(folder: Path, video_id: str) -> None:
    opened(folder / "keypoints.h5", "keypoints").array(video_id, "keypoints")


def feature_store(folder: Path, video_id: str) -> None:
    opened(folder / "features.h5", "features").array(video_id, "features")


def loose_features(folder: Path, video_id: str) -> None:
    np.load(folder / "features" / f"{video_id}.npy")


KEYPOINT_WAYS = {"keypoints: a `.npy` file a clip": loose_keypoints, "keypoint store": keypoint_store}
FEATURE_WAYS = {
    "features: a `.npy` file a clip": loose_features,
    "feature store": feature_store,
}


# What they read.


def prepare(folder: Path) -> list[str]:
    """Simulated dives as videos, loose files and stores, by the real stages; ids of the clips."""
    from aqa_pipeline.stages.extract_frames import extract_frames
    from aqa_pipeline.stages.simulate import simulate

    simulate(
        folder / "videos",
        folder / "truth.h5",
        options=dict(seed=78, n_dives=N_CLIPS, width=WIDTH, height=HEIGHT),
    )
    files = sorted((folder / "videos").glob("*.mp4"))
    ids = [file.stem for file in files]
    pd.DataFrame({"video_id": ids, "path": list(map(str, files))}).to_parquet(folder / "samples.parquet")
    extract_frames(folder / "samples.parquet", folder / "frames.h5")
    extract_frames(folder / "samples.parquet", folder / "small.h5", max_height=SEEN)
    rng = np.random.default_rng(0)
    arrays = (folder / "arrays", folder / "features")
    for of in arrays:
        of.mkdir()
    with (
        stores.read(folder / "frames.h5", kind="frames") as clips,
        stores.write(folder / "keypoints.h5", kind="keypoints", version=1, made_by={}) as keypoints,
        stores.write(folder / "features.h5", kind="features", version=1, made_by={}) as features,
    ):
        for video_id in ids:
            jpeg, offset = (clips.array(video_id, name) for name in ("jpeg", "offset"))
            (folder / "loose" / video_id).mkdir(parents=True)
            for number, (start, end) in enumerate(itertools.pairwise(offset)):
                (folder / "loose" / video_id / f"{number:05d}.jpg").write_bytes(jpeg[start:end].tobytes())
            path = rng.normal(size=(len(offset) - 1, 133, 3)).astype(np.float32)
            sequence = rng.normal(size=(len(offset) - 1, 183)).astype(np.float32)
            for of, store, name, values in zip(
                arrays, (keypoints, features), ("keypoints", "features"), (path, sequence), strict=True
            ):
                np.save(of / f"{video_id}.npy", values)
                store.put(video_id, {name: values})
    os.sync()
    return ids


def forget(folder: Path) -> None:
    """Let the operating system drop what it holds of the files in memory."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


# The measurement.


def read_all(way: Callable[[Path, str], None], folder: Path, ids: Sequence[str], turns: Any, seconds: Any) -> None:
    """One reader: an epoch that opens what it reads, then timed ones, each when all readers are ready."""
    cv2.setNumThreads(1)
    for epoch in range(ROUNDS + 1):
        turns.wait()
        begin = time.perf_counter()
        for video_id in ids:
            way(folder, video_id)
        seconds[epoch] = max(seconds[epoch], time.perf_counter() - begin)


def clips_a_second(way: Callable, folder: Path, ids: Sequence[str], readers: int, *, passes: int = 1) -> np.ndarray:
    """(1 + ROUNDS,) of the first epoch, cold and with the opening of files, and of those after it."""
    forget(folder)
    order = [video_id for _ in range(passes) for video_id in np.random.default_rng(0).permutation(ids).tolist()]
    context = multiprocessing.get_context("fork")
    turns = context.Barrier(readers)
    seconds = [context.Array("d", ROUNDS + 1) for _ in range(readers)]
    processes = [
        context.Process(target=read_all, args=(way, folder, order[start::readers], turns, seconds[start]))
        for start in range(readers)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise RuntimeError(f"a reader of {way.__name__} ended with {process.exitcode}")
    return len(order) / np.max([list(of) for of in seconds], axis=0)


def table_of(ways: dict[str, Callable], folder: Path, ids: Sequence[str], against: Callable, passes: int) -> list[str]:
    """Rows of Markdown: clips a second by readers, warm and cold, and the ratio to one way."""
    found = {
        way: [clips_a_second(way, folder, ids, readers, passes=passes) for readers in READERS] for way in ways.values()
    }
    lines = []
    for name, way in ways.items():
        warm = [float(np.median(of[1:])) for of in found[way]]
        cold = [float(of[0]) for of in found[way]]
        ratios = [w / float(np.median(of[1:])) for w, of in zip(warm, found[against], strict=True)]
        cells = [short(value) for value in (*cold, *warm)] + [f"{ratio:.2f}" for ratio in ratios]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def chunk_rows(folder: Path, ids: Sequence[str]) -> list[str]:
    """Clips a second of the bare reads (no decoding) by size of chunks of the JPEG bytes, one reader."""
    lines = []
    for name, size in CHUNKS.items():
        path = folder / "chunks.h5"
        with h5py.File(folder / "frames.h5") as source, h5py.File(path, "w") as target:
            for video_id in ids:
                jpeg = source["videos"][video_id]["jpeg"][()]
                target.create_dataset(video_id, data=jpeg, chunks=None if size is None else (min(size, len(jpeg)),))
        seconds = []
        with h5py.File(path) as file, stores.read(folder / "frames.h5", kind="frames") as clips:
            offsets = {video_id: clips.array(video_id, "offset") for video_id in ids}
            for _ in range(ROUNDS + 1):
                begin = time.perf_counter()
                for video_id in ids:
                    indices = sampled(len(offsets[video_id]) - 1)
                    file[video_id][offsets[video_id][indices[0]] : offsets[video_id][indices[-1] + 1]]
                seconds.append(time.perf_counter() - begin)
        lines.append(f"| {name} | {short(len(ids) / np.median(seconds[1:]))} | {path.stat().st_size / 2**20:.1f} |")
    return lines


def files_of(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def main() -> None:
    """Prepare, measure, and write the results beside this script."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ids = prepare(folder)
        pictures_table = table_of(FRAME_WAYS, folder, ids, loose_pillow, passes=1)
        arrays = table_of(KEYPOINT_WAYS, folder, ids, loose_keypoints, passes=40)
        features = table_of(FEATURE_WAYS, folder, ids, loose_features, passes=40)
        chunks = chunk_rows(folder, ids)
        per_thousand = round(1000 * files_of(folder / "loose") / len(ids))
        mean = round(files_of(folder / "loose") / len(ids))
    text = REPORT.format(
        cores=os.cpu_count(),
        machine=platform.machine(),
        clips=N_CLIPS,
        mean=mean,
        width=WIDTH,
        height=HEIGHT,
        sampled=N_SAMPLED,
        pictures="\n".join(pictures_table),
        arrays="\n".join([*arrays, *features]),
        chunks="\n".join(chunks),
        loose=f"{per_thousand:,}",
    )
    Path(__file__).with_suffix(".md").write_text(text)
    print(text)


HEAD = """| way | {} | {} | ratio, 1 reader | 2 | 4 |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |""".format(
    " | ".join(f"cold, {n}" for n in READERS), " | ".join(f"warm, {n}" for n in READERS)
)

REPORT = (
    """# Stores against loose files

{cores} cores of {machine}; {clips} simulated dives of {mean} frames, {width} x {height} pixels, MPEG-4 video, JPEG of
quality 90 in the stores and beside them. Clips a second of all readers together: cold is the first epoch, after the
operating system was asked to forget the files; warm the median of those that follow. Ratios are of warm epochs.

## Frames: {sampled} of a clip, evenly spread

"""
    + HEAD
    + """
{pictures}

The ratio is to loose files read by Pillow, as the released loaders do. Only the last way also resizes and cuts; it is
what the systems do, for whom frames are decoded and resized once, as long as `memory_mb` lasts. Without that, or
smaller pictures, there is no factor of three to be had: nearly all of the time is the decoding of JPEG, as the bare
reads below show.

## Whole sequences

"""
    + HEAD
    + """
{arrays}

Ratios are to the loose files above each store.

## Chunks of the JPEG bytes: bare reads without decoding, one reader

| chunks | clips a second | file, MB |
| --- | --- | --- |
{chunks}

## Files for 1,000 videos

Loose frames: {loose}. A store: one file a shard, whatever it holds; 1,000 videos in 8 shards are 8 files of frames,
8 of boxes, 8 of keypoints and 8 a feature set.
"""
)

if __name__ == "__main__":
    main()
