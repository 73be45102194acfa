"""A film to look at: box, skeleton, phase and score, drawn on the frames that the system saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import frames as videos
from aqa_pipeline.evaluation.predictions import Predictions
from aqa_pipeline.keypoint_sets import KeypointSet

if TYPE_CHECKING:
    import pandas as pd

# RGB, of Okabe and Ito: left and right stay apart for colour-blind eyes
LEFT, RIGHT, MIDDLE, BOX = (86, 180, 233), (230, 159, 0), (240, 240, 240), (0, 158, 115)
PHASES = [(0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66), (86, 180, 233), (230, 159, 0)]
INK, PAPER, ARROW = (20, 20, 20), (245, 245, 245), (240, 228, 66)


@dataclass(frozen=True)
class Story:
    """What is told of a video of T frames, besides its pictures; everything may be missing."""

    title: str = ""
    boxes: np.ndarray | None = None  # (T, 5) pixels
    keypoints: np.ndarray | None = None  # (T, K, 3) pixels and confidence
    partner_boxes: np.ndarray | None = None  # the same of the second of two athletes
    partner_keypoints: np.ndarray | None = None
    keypoint_set: KeypointSet | None = None
    steps: Sequence[dict[str, Any]] = field(default_factory=tuple)  # sub_action and first_frame
    score_text: str = ""
    running: np.ndarray | None = None  # (T,) the score predicted from the frames so far
    arrows: np.ndarray | None = None  # (T, K, 2) pixels, from each keypoint; NaN for none
    notes: Sequence[str] = ()  # lines below the title


def film(frames: Sequence[np.ndarray], story: Story, path: Path, *, fps: float, height: int = 540) -> None:
    """Write an mp4 of all frames (H, W, 3) with the story on them, enlarged to at least `height` pixels."""
    videos.write_video(path, pages(frames, story, height=height), fps=fps)


def pages(frames: Sequence[np.ndarray], story: Story, *, height: int = 540) -> Iterator[np.ndarray]:
    """The pictures of the film, RGB, with a strip below that shows the phases and where in them we are."""
    import cv2

    for number, frame in enumerate(frames):
        scale = max(1.0, height / frame.shape[0])
        size = tuple(2 * round(side * scale / 2) for side in (frame.shape[1], frame.shape[0]))  # mp4 wants even sides
        page = cv2.resize(np.ascontiguousarray(frame), size, interpolation=cv2.INTER_LINEAR)
        _draw_athletes(page, story, number, scale)
        _write(page, story.title, (10, 24), 0.6)
        for line, note in enumerate(story.notes, 1):
            _write(page, note, (10, 24 + 20 * line), 0.5)
        yield np.vstack([page, _strip(story, number, len(frames), page.shape[1])])


def _draw_athletes(page: np.ndarray, story: Story, number: int, scale: float) -> None:
    for boxes in (story.boxes, story.partner_boxes):
        if boxes is not None:
            draw_box(page, boxes[number], scale)
    for keypoints in (story.keypoints, story.partner_keypoints):
        if keypoints is not None and story.keypoint_set is not None:
            draw_skeleton(page, keypoints[number], story.keypoint_set, scale)
    if story.arrows is not None and story.keypoints is not None:
        draw_arrows(page, story.keypoints[number], story.arrows[number], scale)


def draw_box(page: np.ndarray, box: np.ndarray, scale: float) -> None:
    """One box (5,) x1 y1 x2 y2 confidence in pixels of the unscaled frame; none where it is NaN."""
    import cv2

    if np.isfinite(box[:4]).all():
        x1, y1, x2, y2 = (round(float(value) * scale) for value in box[:4])
        cv2.rectangle(page, (x1, y1), (x2, y2), BOX, 2, cv2.LINE_AA)


def draw_skeleton(
    page: np.ndarray, keypoints: np.ndarray, points: KeypointSet, scale: float, *, least: float = 0.1
) -> None:
    """Edges and points (K, 3) whose confidence is at least `least`; left blue, right orange, middle white."""
    import cv2

    seen = np.isfinite(keypoints[:, :2]).all(axis=1) & (np.nan_to_num(keypoints[:, 2]) >= least)
    places = {k: tuple(round(float(value) * scale) for value in keypoints[k, :2]) for k in np.flatnonzero(seen)}
    colours = [_side(name) for name in points.names]
    thick = 3 if len(points) < 40 else 1
    for a, b in points.edges:
        if a in places and b in places:
            colour = colours[a] if colours[a] == colours[b] else MIDDLE
            cv2.line(page, places[a], places[b], colour, thick, cv2.LINE_AA)
    for k, place in places.items():
        cv2.circle(page, place, thick, INK, -1, cv2.LINE_AA)
        cv2.circle(page, place, max(1, thick - 1), colours[k], -1, cv2.LINE_AA)


def draw_arrows(
    page: np.ndarray, keypoints: np.ndarray, arrows: np.ndarray, scale: float, *, least: float = 0.1
) -> None:
    """Arrows (K, 2) from points (K, 3) whose confidence is at least `least`, in pixels of the unscaled frame."""
    import cv2

    seen = np.isfinite(keypoints).all(axis=1) & np.isfinite(arrows).all(axis=1)
    for k in np.flatnonzero(seen & (np.nan_to_num(keypoints[:, 2]) >= least)):
        length = scale * np.linalg.norm(arrows[k])
        if length < 4:  # too short for a head
            continue
        start = keypoints[k, :2]
        ends = np.rint(scale * np.stack([start, start + arrows[k]])).astype(int).tolist()
        for colour, thick in ((INK, 5), (ARROW, 2)):
            cv2.arrowedLine(page, *ends, colour, thick, cv2.LINE_AA, tipLength=min(0.5, 8 / length))


def spread(scores: pd.Series, n_videos: int) -> list[str]:
    """Video ids at even ranks of their scores, the worst and the best among them; `scores` is indexed by id."""
    ordered = scores.sort_values(kind="stable").index
    ranks = np.linspace(0, len(ordered) - 1, min(n_videos, len(ordered))).round().astype(int)
    return [str(ordered[rank]) for rank in np.unique(ranks)]


def score_text(score: float, found: Predictions | None, video_id: str, row: str) -> str:
    """The judges' score, beside that of a row where it predicted the video."""
    if found is None or video_id not in found.video_ids:
        return f"judges: {score:.1f}"
    return f"{row}: {found.only([video_id]).predicted_score.mean():.1f}   judges: {score:.1f}"


def phase_at(steps: Sequence[dict[str, Any]], number: int) -> str:
    """Name of the step that a frame lies in, empty before the first."""
    begun = [step["sub_action"] for step in steps if step["first_frame"] <= number]
    return begun[-1] if begun else ""


def _strip(story: Story, number: int, n_frames: int, width: int) -> np.ndarray:
    """Below the picture: the phase and the score in words, the phases as a bar, and a mark for now."""
    import cv2

    strip = np.full((64, width, 3), PAPER, np.uint8)
    _write(strip, phase_at(story.steps, number).replace("_", " "), (10, 24), 0.6, plain=True)
    text = story.score_text
    if story.running is not None and np.isfinite(story.running[number]):
        text = f"so far {story.running[number]:.1f}   {text}"
    (wide, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)
    _write(strip, text, (max(10, width - wide - 10), 24), 0.6, plain=True)
    starts = [step["first_frame"] for step in story.steps] + [n_frames]
    names = sorted({step["sub_action"] for step in story.steps})
    at = [round(10 + (width - 20) * min(start, n_frames) / max(n_frames, 1)) for start in starts]
    for step, x1, x2 in zip(story.steps, at, at[1:], strict=False):
        colour = PHASES[names.index(step["sub_action"]) % len(PHASES)]
        cv2.rectangle(strip, (x1, 38), (max(x1, x2 - 2), 50), colour, -1)
    now = round(10 + (width - 20) * (number + 0.5) / max(n_frames, 1))
    cv2.rectangle(strip, (now - 1, 33), (now + 1, 55), INK, -1)
    return strip


def _write(page: np.ndarray, text: str, at: tuple[int, int], size: float, *, plain: bool = False) -> None:
    import cv2

    if not plain:  # an outline, as behind the letters may be anything; thicker letters would be wider too
        for x, y in product((-1, 1), repeat=2):
            cv2.putText(page, text, (at[0] + x, at[1] + y), cv2.FONT_HERSHEY_SIMPLEX, size, INK, 1, cv2.LINE_AA)
    cv2.putText(page, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, INK if plain else PAPER, 1, cv2.LINE_AA)


def _side(name: str) -> tuple[int, int, int]:
    return LEFT if name.startswith("left") else RIGHT if name.startswith("right") else MIDDLE
