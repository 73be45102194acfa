"""Which rule finds the athlete, on rendered dives whose truth is known, also among spoilt candidates.

    OMP_NUM_THREADS=1 python benchmarks/athlete.py [VIDEO ...]       prints the tables of benchmarks/athlete.md

Of each VIDEO a contact sheet is drawn to results/benchmarks/athlete, to be judged by eye.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from aqa_pipeline import frames, plugins, shots, stores
from aqa_pipeline.evaluation.pose_quality import iou
from aqa_pipeline.evaluation.quality import frame_groups

SEED, DIVES = 20261, 60  # no network was trained on it, and no parameter chosen on it; 4711 was looked at
SHEETS = Path("results/benchmarks/athlete")


class Dive:
    """Candidates of T frames by the embedded detector, the true boxes (T, 4) and the parts of the dive."""

    def __init__(self, candidates: list[np.ndarray], truth: np.ndarray, parts: dict[str, np.ndarray]) -> None:
        self.candidates, self.truth, self.parts = candidates, truth, parts

    def overlaps(self) -> list[np.ndarray]:
        return [iou(boxes, np.repeat(box[None], len(boxes), 0)) for boxes, box in self.each()]

    def each(self) -> zip:
        return zip(self.candidates, self.truth, strict=True)


def dives(folder: Path) -> list[Dive]:
    """Rendered through mp4 and JPEG, as the workflow does it."""
    from aqa_pipeline.stages.extract_frames import extract_frames
    from aqa_pipeline.stages.list_samples import list_samples
    from aqa_pipeline.stages.simulate import simulate

    simulate(folder / "videos", folder / "truth.h5", options={"seed": SEED, "n_dives": DIVES})
    samples = dict(adapter="simdive", options={"folders": [folder / "videos"]})
    list_samples(folder / "s.parquet", [folder / "0.parquet"], **samples)
    extract_frames(folder / "0.parquet", folder / "frames.h5")
    detect = plugins.load("detection", "embedded").build(device="cpu")
    with (
        stores.read(folder / "truth.h5", kind="truth") as truth,
        stores.read(folder / "frames.h5", kind="frames") as clips,
    ):
        return [
            Dive(
                list(detect(frames.StoredFrames(clips, video_id))),
                truth.array(video_id, "box"),
                frame_groups(truth.facts(video_id), len(truth.array(video_id, "box"))),
            )
            for video_id in clips
        ]


def as_found(dive: Dive, rng: np.random.Generator) -> list[np.ndarray]:
    return list(dive.candidates)


def dropped(dive: Dive, rng: np.random.Generator) -> list[np.ndarray]:
    """The athlete is missed in 30 % of the frames."""
    pairs = zip(dive.candidates, dive.overlaps(), strict=True)
    return [boxes[near < 0.3] if rng.random() < 0.3 else boxes for boxes, near in pairs]


def sure(dive: Dive, rng: np.random.Generator) -> list[np.ndarray]:
    """The same, and whatever lies off the athlete has confidence 0.9."""
    found = [boxes.copy() for boxes in dropped(dive, rng)]
    for boxes, box in zip(found, dive.truth, strict=True):
        boxes[iou(boxes, np.repeat(box[None], len(boxes), 0)) < 0.1, 4] = 0.9
    return found


def bystander(dive: Dive, rng: np.random.Generator) -> list[np.ndarray]:
    """The athlete is missed in 30 % of the frames, and somebody stands in all of them with confidence 0.9."""
    x, y, height = rng.uniform([40, 60, 40], [280, 130, 110])
    box = np.array([x - height / 5, y - height / 2, x + height / 5, y + height / 2, 0.9])
    shakes = rng.normal(0, 1.5, (len(dive.candidates), 4))
    return [
        np.concatenate([boxes, [box + np.append(shake, 0)]])
        for boxes, shake in zip(dropped(dive, rng), shakes, strict=True)
    ]


def only_bystander(dive: Dive, rng: np.random.Generator) -> list[np.ndarray]:
    """The bystander, and nothing of the athlete."""
    found = zip(bystander(dive, rng), dive.truth, strict=True)
    return [boxes[iou(boxes, np.repeat(box[None], len(boxes), 0)) < 0.1] for boxes, box in found]


def measure(all_dives: list[Dive], spoil: Callable, select: Callable) -> list[float]:
    """Recall at IoU 0.5 before take-off, in flight and entering; share of frames without a visible athlete with a box;
    share of dives with any box."""
    rng = np.random.default_rng(1)
    right, false, some = {"before_take_off": [], "in_flight": [], "entering": []}, [], []
    for dive in all_dives:
        boxes = select(spoil(dive, rng))
        seen, given = np.isfinite(dive.truth[:, 0]), np.isfinite(boxes[:, 0])
        for part, hits in right.items():
            hits += list(iou(boxes, dive.truth)[dive.parts[part] & seen] >= 0.5)
        false += list(given[~seen])
        some.append(given.any())
    return [float(np.mean(values)) for values in (*right.values(), false, some)]


def measure_pairs(all_dives: list[Dive], apart: int) -> list[float]:
    """Recall in flight of each of two: the detector's boxes, doubled `apart` pixels to the right, each missed in 30 %
    of the frames of its own. What a detector makes of two divers in one picture is not in this."""
    rng, select = np.random.default_rng(1), plugins.load("athlete", "tracked").select
    right: list[list[bool]] = [[], []]
    by = np.array([apart, 0, apart, 0, 0], np.float32)
    for dive in all_dives:
        one, other = dropped(dive, rng), dropped(dive, rng)
        both = select([np.concatenate([a, b + by]) for a, b in zip(one, other, strict=True)], athletes=2)
        asked = dive.parts["in_flight"] & np.isfinite(dive.truth[:, 0])
        for hits, boxes, true in zip(right, both, (dive.truth, dive.truth + by[:4]), strict=True):
            hits += list(iou(boxes, true)[asked] >= 0.5)
    return [float(np.mean(hits)) for hits in right]


def sheet(video: Path, detector: str, folder: Path) -> Path:
    """Every third frame of a video with its candidates (yellow) and the athlete (red); the title names the cuts."""
    import cv2

    pictures = [np.ascontiguousarray(rgb) for _, _, rgb in frames.decode(video)]
    watch = shots.Watch()
    candidates = list(plugins.load("detection", detector).build(device="cpu")(watch(pictures)))
    boxes = plugins.load("athlete", "tracked").select(candidates, watch.cuts)
    tiles = []
    for number in range(0, len(pictures), 3):
        for box in candidates[number]:
            cv2.rectangle(pictures[number], *_corners(box), (255, 255, 0), 1)
        if np.isfinite(boxes[number, 0]):
            cv2.rectangle(pictures[number], *_corners(boxes[number]), (255, 0, 0), 2)
        tiles.append(cv2.resize(pictures[number], (240, 180), interpolation=cv2.INTER_AREA))
        cv2.putText(tiles[-1], str(number), (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 8)
    path = folder / f"{video.stem}.{detector}.cuts_{'_'.join(map(str, watch.cuts)) or 'none'}.png"
    folder.mkdir(parents=True, exist_ok=True)
    page = np.vstack([np.hstack(tiles[at : at + 8]) for at in range(0, len(tiles), 8)])
    cv2.imwrite(str(path), page[:, :, ::-1])
    return path


def _corners(box: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    x1, y1, x2, y2 = (int(value) for value in box[:4])
    return (x1, y1), (x2, y2)


def main(videos: list[str]) -> None:
    """Print the tables and draw the sheets."""
    with tempfile.TemporaryDirectory() as name:
        everything = dives(Path(name))
    print("| candidates | rule | before take-off | in flight | entering | false boxes | dives with a box |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for spoil in (as_found, dropped, sure, bystander, only_bystander):
        for rule in ("largest_box", "tracked"):
            values = measure(everything, spoil, plugins.load("athlete", rule).select)
            print(f"| {spoil.__name__} | {rule} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    for apart in (40, 60, 100):
        values = measure_pairs(everything, apart)
        print(f"pair, {apart} pixels apart: " + " / ".join(f"{value:.3f}" for value in values))
    for video in videos:
        print(sheet(Path(video), "embedded", SHEETS))


if __name__ == "__main__":
    main(sys.argv[1:])
