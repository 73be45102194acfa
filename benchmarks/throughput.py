"""How fast the stages are, as ratios to the plainest way of doing the same, all in one run on one thread.

    OMP_NUM_THREADS=1 python benchmarks/throughput.py            writes benchmarks/throughput.md

Absolute figures belong to the machine named in the file; the ratios travel better.
"""

from __future__ import annotations

import platform
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from aqa_pipeline import frames, plugins, stores

REPEATS = 5
DIVES = 6


def median_seconds(run: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median wall time of `repeats` runs after one that is not counted."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def make_videos(folder: Path) -> list[Path]:
    """A few simulated dives as mp4 files."""
    from aqa_pipeline.stages.simulate import simulate

    simulate(folder / "videos", folder / "truth.h5", options={"seed": 77, "n_dives": DIVES})
    return sorted((folder / "videos").glob("*.mp4"))


def bare_decode(videos: list[Path]) -> None:
    """What anyone writes first: an OpenCV loop."""
    import cv2

    for path in videos:
        capture = cv2.VideoCapture(str(path))
        while capture.read()[0]:
            pass


def write_store(videos: list[Path], path: Path) -> None:
    with stores.write(path, kind="frames", version=1, made_by={}) as store:
        for video in videos:
            arrays, facts = frames.extract(video)
            store.put(video.stem, arrays, **facts)


def write_loose(videos: list[Path], folder: Path) -> None:
    for video in videos:
        (folder / video.stem).mkdir(parents=True)
        for number, _, rgb in frames.decode(video):
            (folder / video.stem / f"{number:05d}.jpg").write_bytes(frames.encode_jpeg(rgb).tobytes())


def read_store(path: Path) -> None:
    with stores.read(path, kind="frames") as store:
        for video_id in store:
            for _ in frames.StoredFrames(store, video_id):
                pass


def read_loose(folder: Path) -> None:
    import cv2

    for clip in sorted(folder.iterdir()):
        for picture in sorted(clip.iterdir()):
            cv2.imread(str(picture))[:, :, ::-1]


def benchmark_video(videos: list[Path], folder: Path, n_frames: int) -> list[tuple[str, str, str]]:
    bare = median_seconds(lambda: bare_decode(videos))
    ours = median_seconds(lambda: [list_frames(video) for video in videos])
    extract = median_seconds(lambda: write_store(videos, folder / "frames.h5"))
    write_loose(videos, folder / "loose")
    stored = median_seconds(lambda: read_store(folder / "frames.h5"))
    loose = median_seconds(lambda: read_loose(folder / "loose"))
    return [
        ("decode, bare OpenCV loop", f"{n_frames / bare:.0f} frames/s", "1"),
        ("decode, `frames.decode`", f"{n_frames / ours:.0f} frames/s", f"{bare / ours:.2f}"),
        ("extract: decode, JPEG, HDF5", f"{n_frames / extract:.0f} frames/s", f"{bare / extract:.2f}"),
        ("read whole clips, loose JPEG files", f"{len(videos) / loose:.1f} clips/s", "1"),
        ("read whole clips, frame store", f"{len(videos) / stored:.1f} clips/s", f"{loose / stored:.2f}"),
    ]


def list_frames(video: Path) -> int:
    return sum(1 for _ in frames.decode(video))


def benchmark_networks(path: Path, n_frames: int) -> list[tuple[str, str, str]]:
    """Detection and keypoints, JPEG decoding included; the ratio is to reading the frames alone."""
    detect = plugins.load("detection", "embedded").build(device="cpu")
    select = plugins.load("athlete", "tracked").select
    reading = median_seconds(lambda: read_store(path))
    rows = []
    with stores.read(path, kind="frames") as store:
        clips = {video_id: frames.StoredFrames(store, video_id) for video_id in store}
        boxes = {video_id: select(list(detect(clip))) for video_id, clip in clips.items()}
        seconds = median_seconds(lambda: [select(list(detect(clip))) for clip in clips.values()], 3)
        rows.append(("detect the athlete", f"{n_frames / seconds:.0f} frames/s", f"{reading / seconds:.2f}"))
        for keypoint_set in ("coco_17", "coco_wholebody_133"):
            estimate = plugins.load("pose", "embedded").build(device="cpu", keypoint_set=keypoint_set)
            seconds = median_seconds(lambda e=estimate: [e(clip, boxes[v]) for v, clip in clips.items()], 3)
            speed, ratio = f"{n_frames / seconds:.0f} frames/s", f"{reading / seconds:.2f}"
            rows.append((f"keypoints, {keypoint_set}", speed, ratio))
    return rows


def benchmark_training(
    folder: Path, n_clips: int = 320, n_rows: int = 66, dim: int = 150
) -> list[tuple[str, str, str]]:
    """One epoch of the pose-guided system as the default run trains it; the ratio is to the one with exemplars."""
    import pandas as pd

    from aqa_pipeline.training import runs
    from aqa_pipeline.training.pairs import draw_pairs

    rng = np.random.default_rng(0)
    ids = [f"v{i:03d}" for i in range(n_clips + 1)]
    with stores.write(folder / "motion" / "0000.h5", kind="features", version=1, made_by={}) as store:
        for video_id in ids:
            rows = rng.normal(size=(n_rows, dim)).astype(np.float32)
            store.put(video_id, {"features": rows, "first_frame": np.arange(n_rows)})
    known = dict(video_id=ids, action_type="107b", difficulty=3.0, score=rng.uniform(20, 90, len(ids)), steps=None)
    samples = pd.DataFrame({**known, "judge_scores": None})
    parts = pd.DataFrame(dict(video_id=ids, fold=0, part=["test", *["train"] * n_clips]))
    settings = dict(system="pose_guided", adapter="simdive", fold=0, seed=0, clips={"n_frames": 24})
    seconds = {}
    for name, exemplars in (("with exemplars", "same_type"), ("without", "none")):
        options = {"exemplar": exemplars != "none"}

        def train(epochs: int, exemplars: str = exemplars, options: dict = options) -> None:
            draws = draw_pairs(samples, parts, exemplars=exemplars, steps=20 * epochs, batch=16)
            with runs.open_inputs(runs.Files(features=[folder / "motion" / "0000.h5"]), threads=1) as inputs:
                runs.train(
                    runs.Settings(**settings, options=options), samples, parts, inputs, draws=draws, device="cpu"
                )

        seconds[name] = median_seconds(lambda t=train: t(4), 3) / 3 - median_seconds(lambda t=train: t(1), 3) / 3
    with_one = seconds["with exemplars"]
    return [
        (f"pose_guided {name}, an epoch of {n_clips}", f"{value:.2f} s", f"{with_one / value:.2f}")
        for name, value in seconds.items()
    ]


def main() -> None:
    """Run everything and write the results file beside this script."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        videos = make_videos(folder)
        n_frames = sum(list_frames(video) for video in videos)
        rows = benchmark_video(videos, folder, n_frames)
        rows += benchmark_networks(folder / "frames.h5", n_frames)
        rows += benchmark_training(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = [
        "# Throughput",
        "",
        f"{DIVES} simulated dives, {n_frames} frames, one thread of {platform.machine()}, median of {REPEATS} runs.",
        f"Peak memory of the whole benchmark {peak:.0f} MB. Made by `python benchmarks/throughput.py`.",
        "",
        "| what | speed | ratio to the first of its group, or to reading the frames |",
        "| --- | --- | --- |",
        *(f"| {what} | {speed} | {ratio} |" for what, speed, ratio in rows),
        "",
    ]
    Path(__file__).with_suffix(".md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
