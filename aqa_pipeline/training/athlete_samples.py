"""Pictures with known athletes, varied at random, to train picture networks on: from stores, or labelled ones.

Frames of stores stay JPEG in memory (12 kB for 320 x 180) and are decoded when they are drawn, so thousands of dives
fit; labelled pictures are read from their files when they are drawn.
Shapes: N samples, K keypoints, B a batch of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from aqa_pipeline import frames, keypoint_sets, stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.labelled import Labels, in_set
from aqa_pipeline.layers import centres, crops, inference

UNSEEN = 0  # a keypoint's state in the truth store: under water or out of the picture
UNKNOWN = -1  # and one that has no label: nothing is asked of it


@dataclass(frozen=True)
class Samples:
    """Pictures and what is true of them."""

    jpegs: list[np.ndarray | Path]
    boxes: np.ndarray  # (N, 4) float32, pixels; NaN where no athlete is visible
    keypoints: np.ndarray  # (N, K, 3) float32: x, y, state

    def __len__(self) -> int:
        return len(self.jpegs)

    def subset(self, chosen: np.ndarray) -> Samples:
        """Those of a mask or of indices `(M,)`."""
        chosen = np.arange(len(self))[chosen]
        return Samples([self.jpegs[i] for i in chosen], self.boxes[chosen], self.keypoints[chosen])


@dataclass(frozen=True)
class Variation:
    """How much a sample is varied, uniformly up to these amounts."""

    rotation: float  # radians to either side
    shift: float  # of the square's side, to either side
    smaller: float  # factor on the square's side, from
    larger: float  # to


def gather(
    frame_stores: Sequence[Path], truth_stores: Sequence[Path], *, per_video: int, rng: np.random.Generator
) -> Samples:
    """Draw `per_video` frames of every video in the stores, those around the entry twice as likely as the others.

    Of the frames in which no athlete is visible only every third takes part in the draw.
    """
    jpegs, boxes, keypoints = [], [], []
    for frame_store, truth_store in zip(frame_stores, truth_stores, strict=True):
        with stores.read(frame_store, kind="frames") as clips, stores.read(truth_store, kind="truth") as truth:
            for video_id in clips:
                box = truth.array(video_id, "box")
                rows = _draw_frames(box, truth.facts(video_id), per_video, rng)
                jpegs += _jpegs(clips, video_id, rows)
                boxes.append(box[rows])
                keypoints.append(truth.array(video_id, "keypoints")[rows])
    if not jpegs:
        raise InputError(f"{', '.join(map(str, frame_stores)) or 'no frame store'}: no frames to train on")
    return Samples(jpegs, np.concatenate(boxes), np.concatenate(keypoints))


def of_labels(sets: Sequence[Labels], *, keypoint_set: str) -> Samples:
    """Everybody in the labelled sets with keypoints and a box, as keypoints of `keypoint_set`."""
    pictures, boxes, keypoints = [], [], []
    for labels in sets:
        for picture in labels.pictures:
            for person in picture.people:
                if person.asked and np.isfinite(person.place).all():
                    own = in_set(person.keypoints, labels.keypoint_set, keypoint_set)
                    own[own[:, 2] == 0, 2] = UNKNOWN
                    pictures.append(picture.path)
                    boxes.append(person.place)
                    keypoints.append(own)
    if not pictures:
        raise InputError("no labelled person with a box to train on")
    return Samples(pictures, np.array(boxes, np.float32), np.array(keypoints, np.float32))


def _picture(stored: np.ndarray | Path) -> np.ndarray:
    return frames.read_picture(stored) if isinstance(stored, Path) else frames.decode_jpeg(stored)


def _jpegs(clips: stores.Reader, video_id: str, rows: np.ndarray) -> list[np.ndarray]:
    """The bytes of some frames, as they are stored."""
    jpeg, offset = clips.array(video_id, "jpeg"), clips.array(video_id, "offset")
    return [jpeg[offset[row] : offset[row + 1]].copy() for row in rows]


def _draw_frames(boxes: np.ndarray, facts: dict, count: int, rng: np.random.Generator) -> np.ndarray:
    """Sorted numbers of the frames drawn from one clip, without replacement."""
    times = np.arange(len(boxes)) / facts["fps"]
    entering = (times > facts["entry_time"] - 0.2) & (times < facts["submerged_time"] + 0.1)
    weight = np.where(entering, 2.0, 1.0) * np.where(np.isnan(boxes[:, 0]), 1 / 3, 1.0)
    return np.sort(rng.choice(len(boxes), size=min(count, len(boxes)), replace=False, p=weight / weight.sum()))


def rounds(count: int, batch: int, steps: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """`steps` batches of indices below `count`: each sample once before any comes again."""
    waiting = np.empty(0, int)
    for _ in range(steps):
        while len(waiting) < batch:
            waiting = np.concatenate([waiting, rng.permutation(count)])
        yield waiting[:batch]
        waiting = waiting[batch:]


def whole_pictures(
    samples: Samples, chosen: np.ndarray, *, height: int, width: int, variation: Variation, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures for the detector, (B, 3, height, width) in -1 .. 1, and boxes (B, 4) in their pixels, NaN for none.

    Each is scaled, shifted and mirrored as a whole; a box of which less than a third stays inside counts as none.
    """
    pictures, boxes = [], []
    for i in chosen:
        frame = _picture(samples.jpegs[i])
        scale = centres.fit_scale(frame.shape, height=height, width=width)
        scale /= rng.uniform(variation.smaller, variation.larger)
        shift = rng.uniform(-variation.shift, variation.shift, 2) * [width, height]
        middle = (np.array(frame.shape[1::-1]) - 1) / 2
        offset = (np.array([width, height]) - 1) / 2 - scale * middle + shift
        picture = crops.cut(frame, np.array([[scale, 0, offset[0]], [0, scale, offset[1]]]), size=(width, height))
        box = samples.boxes[i] - 0.5  # edges of pixels to centres of pixels, and back
        box = box.reshape(2, 2) * scale + offset + 0.5
        if rng.random() < 0.5:
            picture, box = picture[:, ::-1], np.stack([[width - box[1, 0], box[0, 1]], [width - box[0, 0], box[1, 1]]])
        pictures.append(picture)
        boxes.append(_inside(box.ravel(), height, width))
    return _coloured(np.stack(pictures), rng), torch.from_numpy(np.array(boxes, np.float32))


def _inside(box: np.ndarray, height: int, width: int) -> np.ndarray:
    low = np.clip(box[:2], 0, [width, height])
    high = np.clip(box[2:], 0, [width, height])
    kept, whole = np.prod(high - low), np.prod(box[2:] - box[:2])
    return np.concatenate([low, high]) if kept >= whole / 3 else np.full(4, np.nan)  # False for NaN


def athlete_crops(
    samples: Samples,
    chosen: np.ndarray,
    *,
    keypoint_set: keypoint_sets.KeypointSet,
    size: int,
    padding: float,
    variation: Variation,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Crops for the estimator (B, 3, S, S) in -1 .. 1; keypoints (B, K, 2) in crop pixels; their states (B, K).

    Each is turned, scaled, shifted and mirrored, with left and right exchanged.
    """
    count, columns = len(chosen), len(keypoint_set)
    middles, sides = crops.squares(samples.boxes[chosen], padding=padding)
    sides = sides * np.exp(rng.uniform(np.log(variation.smaller), np.log(variation.larger), count))
    middles = middles + rng.uniform(-variation.shift, variation.shift, (count, 2)) * sides[:, None]
    angles = rng.uniform(-variation.rotation, variation.rotation, count)
    maps = crops.matrices(middles, sides, size=size, angles=angles)
    drawn = (_picture(samples.jpegs[i]) for i in chosen)
    pictures = np.stack([crops.cut(frame, m, size=size) for frame, m in zip(drawn, maps, strict=True)])
    truth = samples.keypoints[chosen][:, :columns]
    points, states = crops.apply(maps, truth[..., :2]), truth[..., 2].copy()
    mirrored = rng.random(count) < 0.5
    order = list(keypoint_set.flipped)
    pictures[mirrored] = pictures[mirrored][:, :, ::-1]
    points[mirrored] = points[mirrored][:, order] * [-1, 1] + [size - 1, 0]
    states[mirrored] = states[mirrored][:, order]
    return _coloured(pictures, rng), torch.from_numpy(points.astype(np.float32)), torch.from_numpy(states)


def _coloured(pictures: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
    """Pictures (B, H, W, 3) uint8 with other light, contrast and tint, some grey, grainy or soft, in -1 .. 1."""
    import cv2

    count = len(pictures)
    gain = np.exp(rng.normal(0, 0.15, (count, 1)) + rng.normal(0, 0.06, (count, 3)))
    offset = rng.normal(0, 15, (count, 1)) + rng.normal(0, 5, (count, 3))
    levels = (np.arange(256)[:, None] - 127.5) * gain[:, None] + 127.5 + offset[:, None]  # (B, 256, 3)
    levels = np.clip(np.round(levels), 0, 255).astype(np.uint8)
    soft, grey, grainy = rng.random((3, count)) < np.array([[0.15], [0.08], [0.2]])
    grain = np.clip(rng.normal(0, 16, pictures.shape[1:]), -127, 127).astype(np.int8)  # one a batch, shifted
    out = np.empty_like(pictures)
    for i, picture in enumerate(pictures):
        picture = cv2.LUT(np.ascontiguousarray(picture), levels[i, :, None])
        if grey[i]:
            picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        if soft[i]:
            picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.2))
        if grainy[i]:
            shift = rng.integers(0, grain.shape[:2])
            scaled = np.roll(grain, tuple(shift), axis=(0, 1)) // int(rng.integers(2, 12))
            picture = cv2.add(picture, scaled, dtype=cv2.CV_8U)
        out[i] = picture
    return inference.to_input(out, torch.device("cpu"))
