"""Small pictures and films of a video with box and skeleton, as text that a page can hold."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from aqa_pipeline import frames, keypoint_sets, stores
from aqa_pipeline.evaluation import overlay
from aqa_pipeline.report import words

if TYPE_CHECKING:
    import pandas as pd

N_STILLS, STILL, QUALITY = 6, 208, 62  # pictures in a row, their side in pixels, and WebP's quality
FILM_WIDTH, MOST_FRAMES, FILM_QUALITY, SPEED = 320, 150, 40, 9  # of a film: pixels, pictures, and AVIF's settings


@dataclass
class Budget:
    """Bytes that may still be spent."""

    left: int

    def spends(self, n_bytes: int) -> bool:
        """Whether there is room for so much; it is then taken."""
        fits = n_bytes <= self.left
        self.left -= n_bytes * fits
        return fits


class Still(NamedTuple):
    """A square picture of the athlete."""

    frame: int
    side: int  # pixels
    address: str


@dataclass(frozen=True)
class Pictures:
    """What there is to see of a video; empty addresses where nothing is."""

    stills: Sequence[Still] = ()
    film: str = ""  # an animated picture, which every browser plays and none needs a player for
    seconds: float = 0.0
    size: tuple[int, int] = (0, 0)  # of the film, width and height
    n_frames: int = 0
    why_not: str = ""


class Gallery:
    """Frames, boxes and keypoints of a data set, as far as they were kept."""

    def __init__(self, folder: Path, dataset: str, keypoints: str = "") -> None:
        self._frames = folder / "frames" / dataset
        self._kept = folder / "keypoints" / dataset
        self._boxes_of = folder / "boxes" / dataset
        self._asked = keypoints

    @cached_property
    def _keypoints(self) -> Path | None:
        """Folder of the keypoints that are drawn."""
        if self._asked:
            return self._kept / self._asked
        flat = [(n_points, folder) for folder in sorted(self._kept.glob("*")) if (n_points := _points_in_plane(folder))]
        return min(flat)[1] if flat else None

    def of(self, video_id: str, sample: pd.Series | None, budget: Budget, *, films: bool) -> Pictures:
        """Stills and a film of a video; what no longer fits the budget is left out."""
        shard = "" if sample is None else f"{int(sample['shard']):04d}.h5"
        if not shard or not (self._frames / shard).is_file():
            return Pictures(why_not="No frames of this data set were kept.")
        with contextlib.ExitStack() as stack:
            store = stack.enter_context(stores.read(self._frames / shard, kind="frames"))
            if video_id not in store:
                return Pictures(why_not="This video has no frames.")
            clip = _Clip(store, video_id, *self._drawn(stack, shard, video_id))
            return _pictures(clip, budget, films=films)

    def _drawn(self, stack: contextlib.ExitStack, shard: str, video_id: str) -> tuple:
        """Boxes, keypoints and their set, None for what there is not."""
        folder = self._keypoints
        if folder is None or not (folder / shard).is_file():
            return None, None, None
        points = stack.enter_context(stores.read(folder / shard, kind="keypoints"))
        if video_id not in points:
            return None, None, None
        named = keypoint_sets.get(points.facts(video_id)["keypoint_set"])
        path, boxes = self._boxes_of / folder.name.partition(".")[0] / shard, None
        if path.is_file():
            athletes = stack.enter_context(stores.read(path, kind="boxes"))
            boxes = athletes.array(video_id, "boxes") if video_id in athletes else None
        return boxes, points.array(video_id, "keypoints"), named


@dataclass(frozen=True)
class _Clip:
    store: stores.Reader
    video_id: str
    boxes: np.ndarray | None  # (T, 5)
    keypoints: np.ndarray | None  # (T, K, 3)
    points: keypoint_sets.KeypointSet | None

    @cached_property
    def frames(self) -> frames.StoredFrames:
        return frames.StoredFrames(self.store, self.video_id)

    def window(self, index: int) -> tuple[np.ndarray, float]:
        """Upper left corner and side of the square around the athlete; the middle of the picture without one."""
        height, width = self.frames[index].shape[:2]
        whole = np.array([width, height], float)
        if self.boxes is None or not np.isfinite(self.boxes[:, :4]).all(axis=1).any():
            side = float(min(height, width))
            return (whole - side) / 2, side
        known = np.flatnonzero(np.isfinite(self.boxes[:, :4]).all(axis=1))
        corners = self.boxes[known, :4]
        side = float(1.35 * np.percentile((corners[:, 2:] - corners[:, :2]).max(axis=1), 95))
        nearest = corners[np.abs(known - index).argmin()]
        return (nearest[:2] + nearest[2:]) / 2 - side / 2, side

    def drawn(self, index: int, corner: np.ndarray, scale: float, size: tuple[int, int]) -> np.ndarray:
        """A part of a frame of `size` (width, height) with what was found in it."""
        import cv2

        move = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
        kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        page = cv2.warpAffine(self.frames[index], move, size, flags=kind, borderValue=overlay.INK)
        if self.boxes is not None:
            overlay.draw_box(page, self.boxes[index] - np.array([*corner, *corner, 0.0]), scale)
        if self.keypoints is not None:
            shifted = self.keypoints[index] - np.array([*corner, 0.0])
            overlay.draw_skeleton(page, shifted, self.points, scale)
        return page


def _pictures(clip: _Clip, budget: Budget, *, films: bool) -> Pictures:
    n_frames = len(clip.frames)
    row = []
    for index in np.unique(np.linspace(0, n_frames - 1, N_STILLS + 2).round().astype(int)[1:-1]).tolist():
        corner, side = clip.window(index)
        row.append((index, _webp(clip.drawn(index, corner, STILL / side, (STILL, STILL)))))
    if not budget.spends(sum(len(data) for _, data in row)):
        return Pictures(n_frames=n_frames, why_not="Left out: the pictures of this page were to stay small.")
    film = _avif(clip) if films and budget.left > 0 else b""
    fits = bool(film) and budget.spends(len(film))
    return Pictures(
        stills=[Still(index, STILL, words.address(data, "image/webp")) for index, data in row],
        film=words.address(film, "image/avif") if fits else "",
        seconds=n_frames / float(clip.frames.facts["fps"]),
        size=_film_size(clip),
        n_frames=n_frames,
    )


def _film_size(clip: _Clip) -> tuple[int, int]:
    height, width = clip.frames[0].shape[:2]
    shown = min(FILM_WIDTH, width)
    return shown, max(1, round(height * shown / width))


def _avif(clip: _Clip) -> bytes:
    """A film of all frames, or of every so many; empty where this Pillow cannot write one."""
    from PIL import Image, features

    if not features.check("avif"):
        return b""
    size, step = _film_size(clip), -(-len(clip.frames) // MOST_FRAMES)
    scale = size[0] / clip.frames[0].shape[1]
    shown = range(0, len(clip.frames), step)
    first, *others = (Image.fromarray(clip.drawn(index, np.zeros(2), scale, size)) for index in shown)
    film, duration = io.BytesIO(), round(1000 * step / float(clip.frames.facts["fps"]))
    first.save(
        film, "AVIF", save_all=True, append_images=others, duration=duration,
        quality=FILM_QUALITY, speed=SPEED, max_threads=1,
    )  # fmt: skip
    return film.getvalue()


def _points_in_plane(folder: Path) -> int:
    """How many points the keypoints of a folder have, 0 where they are no places in a picture."""
    for path in sorted(folder.glob("*.h5")):
        with stores.read(path, kind="keypoints") as store:
            for video_id in store:
                points = keypoint_sets.get(store.facts(video_id)["keypoint_set"])
                return len(points) if points.dimensions == 2 else 0
    return 0


def _webp(picture: np.ndarray) -> bytes:
    import cv2

    return cv2.imencode(".webp", picture[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1].tobytes()
