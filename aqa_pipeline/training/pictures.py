"""The modality "frames": pictures of clips from frame stores; the athlete's boxes beside them, and masks as labels.

Nothing is read before it is asked for. Frames are decoded once and kept resized, not yet cropped, as long as memory
lasts; shift, crop and flip are drawn anew for every training step. Processes that are forked read for themselves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from aqa_pipeline import frames, stores, untrusted
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.layers.views import BILINEAR, Placement, View, bilinear, followed

FRAMES = "frames"  # name of the modality
MEMORY_MB = 2000
OPTIONS = (*View.__dataclass_fields__, "view", "detector", "masks")  # of a configuration
HALF = 127.5  # of a mask's grey levels: from there on it is the athlete (rounded, as FineParser's code does)
SPLASH_MASKS = "splash_pred_masks"  # of a pickle of HP-MCoRe
TRUTH = {"athlete": "mask", "splash": "splash"}  # kind of mask -> its array in a truth store
TUBES = "tubes"  # word of a system's `needs`, and name of the modality
UPRIGHT = [0, 1, 2, 1, 2, 3, 0, 3]  # columns of a box, which are x, y of its corners in their order around it
NEEDED = {"masks": "athlete", "splashes": "splash"}  # word of a system's `needs` -> kind of mask

Key = tuple[str, int, int | str]  # video, frame, and filter or kind of mask


@dataclass(frozen=True)
class Seen:
    """What is shown of one clip."""

    pictures: np.ndarray  # (T, 3, H, W) uint8
    positions: np.ndarray  # (T,) which frames of the clip
    n_stored: int  # frames of the clip


class Masks(Protocol):
    """Masks of one kind, clip by clip."""

    def read(self, video_id: str, index: Sequence[int], number: Sequence[int]) -> list[np.ndarray] | None:
        """Grey pictures `(H, W)` uint8 of frames with these indices and numbers; None where one is not known."""


class StoredMasks:
    """Masks of simulated clips, from truth stores."""

    def __init__(self, readers: Sequence[stores.Reader], array: str) -> None:
        self._reader_of = {video_id: reader for reader in readers for video_id in reader}
        self._array = array

    def read(self, video_id: str, index: Sequence[int], number: Sequence[int]) -> list[np.ndarray] | None:
        if video_id not in self._reader_of:
            return None
        masks = self._reader_of[video_id].array(video_id, self._array)  # (n, H, W), one deflated block
        return [masks[i].astype(np.uint8) * 255 for i in index]


class MaskFolders:
    """Masks of the athlete as grey pictures that bear the numbers of their frames, a folder a clip (FineDiving-HM)."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = dict(folders)

    def read(self, video_id: str, index: Sequence[int], number: Sequence[int]) -> list[np.ndarray] | None:
        folder = self._folders.get(video_id)
        if folder is None or not Path(folder).is_dir():
            return None
        files = frames.numbered(folder)
        if any(n not in files for n in number):
            return None
        return [frames.read_picture(files[n])[:, :, 0] for n in number]


class SplashFiles:
    """Masks of the splash, a pickle a clip: a list with a mask for each frame of the clip, or None where there is none.

    As HP-MCoRe's loader reads them. They are square whatever the frames are, and nothing says of which part; we take
    them for the whole frame. A clip without any mask, or with fewer than it has frames, is not known.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = dict(files)

    def read(self, video_id: str, index: Sequence[int], number: Sequence[int]) -> list[np.ndarray] | None:
        path = self._files.get(video_id)
        if path is None or not Path(path).is_file():
            return None
        masks = splash_masks(path)
        if all(mask is None for mask in masks) or max(index) >= len(masks):
            return None
        empty = np.zeros(next(mask.shape for mask in masks if mask is not None), np.uint8)
        return [empty if masks[i] is None else masks[i].astype(np.uint8) * 255 for i in index]


def splash_masks(path: Path) -> list[np.ndarray | None]:
    """The masks `(H, W)` bool in a pickle of a clip's splash, all of one size; InputError where there is none."""
    entry = untrusted.read_pickle(path)
    masks = entry.get(SPLASH_MASKS) if isinstance(entry, dict) else None
    if not isinstance(masks, list | tuple):
        raise InputError(f"{path}: no list '{SPLASH_MASKS}', expected the masks of its frames")
    found = [None if mask is None else untrusted.array_of(path, mask, "masks") for mask in masks]
    shapes = {mask.shape for mask in found if mask is not None}
    if len(shapes) > 1 or any(len(shape) != 2 or 0 in shape for shape in shapes):
        raise InputError(f"{path}: masks of shapes {sorted(shapes)}, expected one height and width")
    return [None if mask is None else mask > 0 for mask in found]


class Pictures:
    """Clips as a `View` shows them.

    Parameters
    ----------
    clips : open frame stores
    view : see `layers.views`
    boxes : open stores of the athlete's boxes, where he is what is shown: the square that follows him
    tubes : the same stores, where his boxes are shown beside the pictures
    masks : by kind, labels of a training part; none where a system predicts
    memory_mb : resized frames kept in memory; those beyond are decoded again each time
    """

    def __init__(
        self,
        clips: Sequence[stores.Reader],
        view: View,
        *,
        boxes: Sequence[stores.Reader] | None = None,
        tubes: Sequence[stores.Reader] | None = None,
        masks: Mapping[str, Masks] = {},
        memory_mb: int = MEMORY_MB,
    ) -> None:
        self.view, self._masks = view, dict(masks)
        self._clips = {video_id: reader for reader in clips for video_id in reader}
        self._boxes, self._tubes = (
            None if of is None else {video_id: reader for reader in of for video_id in reader} for of in (boxes, tubes)
        )
        self._left = memory_mb * 2**20
        self._kept: dict[Key, np.ndarray | None] = {}
        self._numbers: dict[str, np.ndarray] = {}

    def __contains__(self, video_id: str) -> bool:
        return all(video_id in of for of in (self._clips, self._boxes, self._tubes) if of is not None)

    @property
    def shows_tubes(self) -> bool:
        """Whether `tube` may be asked for."""
        return self._tubes is not None

    @property
    def kinds_of_masks(self) -> tuple[str, ...]:
        """What masks may be asked for: "athlete", "splash"."""
        return tuple(self._masks)

    def read(self, video_id: str, draw: Sequence[int] | None = None) -> Seen:
        """One clip, as the key `draw` has it, or as in a test."""
        placement, positions = self._placed(video_id, draw)
        filters = placement.filters or [BILINEAR] * len(positions)
        keys = [(video_id, int(i), f) for i, f in zip(positions, filters, strict=True)]
        resized = np.stack(self._resized(video_id, keys, self._decoded))  # (T, h, w, 3)
        n_stored = len(self._frame_numbers(video_id))
        resized[self.view.blacked(n_stored, placement)] = 0
        pictures = np.ascontiguousarray(self.view.cut(resized, placement).transpose(0, 3, 1, 2))
        return Seen(pictures, positions, n_stored)

    def mask(self, video_id: str, draw: Sequence[int] | None = None, *, of: str = "athlete") -> np.ndarray | None:
        """A mask `(T, H, W)` bool on the same pixels as `read` with the same key; None: not known."""
        placement, positions = self._placed(video_id, draw)
        resized = self._resized(video_id, [(video_id, int(i), of) for i in positions], self._masked)
        if any(mask is None for mask in resized):
            return None
        shown = np.stack(resized)
        shown[self.view.blacked(len(self._frame_numbers(video_id)), placement)] = False
        return np.ascontiguousarray(self.view.cut(shown, placement))

    def tube(self, video_id: str, draw: Sequence[int] | None = None) -> np.ndarray:
        """Corners `(T, 4, 2)` float32 of the athlete's box on the pixels of `read` with the same key; NaN: nobody."""
        placement, positions = self._placed(video_id, draw)
        facts, regions = self._clips[video_id].facts(video_id), self._regions(video_id, positions)
        corners = _corners(self._tubes[video_id], video_id)[positions]
        moved = self.view.moved(corners, (facts["width"], facts["height"]), placement, regions=regions)
        return moved.astype(np.float32)

    def _placed(self, video_id: str, draw: Sequence[int] | None) -> tuple[Placement, np.ndarray]:
        placement = self.view.placed(video_id, draw)
        return placement, self.view.positions(len(self._frame_numbers(video_id)), placement)

    def _frame_numbers(self, video_id: str) -> np.ndarray:
        """Number of each stored frame (n,), as in the names of the pictures they come from."""
        if video_id not in self._numbers:
            if video_id not in self:
                raise InputError(f"no pictures of video '{video_id}', {nearest(video_id, list(self._clips)[:50])}")
            self._numbers[video_id] = self._clips[video_id].array(video_id, "frame_number")
        return self._numbers[video_id]

    def _resized(
        self, video_id: str, keys: list[Key], make: Callable[[str, list[Key]], Sequence[np.ndarray | None]]
    ) -> list[np.ndarray | None]:
        """Resized frames by key, from memory as far as they are there."""
        found = {key: self._kept[key] for key in keys if key in self._kept}
        missing = sorted(set(keys) - set(found))
        for key, picture in zip(missing, make(video_id, missing) if missing else (), strict=True):
            found[key] = picture
            size = 0 if picture is None else picture.nbytes
            if size <= self._left:
                self._left -= size
                self._kept[key] = picture if picture is None else picture.copy()  # not a part of all that were made
        return [found[key] for key in keys]

    def _decoded(self, video_id: str, keys: list[Key]) -> np.ndarray:
        """(N, h, w, 3)."""
        clip, indices = frames.StoredFrames(self._clips[video_id], video_id), [index for _, index, _ in keys]
        filters = [chosen for _, _, chosen in keys] if self.view.interpolation == "random" else ()
        return self.view.resized(list(clip.take(indices)), filters=filters, regions=self._regions(video_id, indices))

    def _masked(self, video_id: str, keys: list[Key]) -> Sequence[np.ndarray | None]:
        """(N, h, w) bool, or as many times None; all of one kind."""
        indices, kind = [index for _, index, _ in keys], keys[0][2]
        masks = self._masks[kind].read(video_id, indices, self._frame_numbers(video_id)[indices].tolist())
        if masks is None:
            return [None] * len(keys)
        facts = self._clips[video_id].facts(video_id)
        size = (facts["height"], facts["width"])
        if masks[0].shape != size:  # the stored frames may have been reduced
            masks = bilinear(np.stack(masks), *size)
        return self.view.resized(masks, regions=self._regions(video_id, indices)) > HALF

    def _regions(self, video_id: str, indices: Sequence[int]) -> np.ndarray | None:
        """The squares `(N, 4)` that follow the athlete, where he is shown."""
        if self._boxes is None:
            return None
        return followed(self._boxes[video_id].array(video_id, "boxes"))[indices]


def _corners(boxes: stores.Reader, video_id: str) -> np.ndarray:
    """Corners (n, 4, 2) of the athlete's box in every frame, as they were found or of an upright box."""
    if boxes.names(video_id, "corners"):
        return boxes.array(video_id, "corners")
    return boxes.array(video_id, "boxes")[:, UPRIGHT].reshape(-1, 4, 2)


@contextlib.contextmanager
def open_pictures(
    paths: Iterable[Path],
    *,
    options: Mapping[str, Any],
    boxes: Iterable[Path] = (),
    masks: Iterable[Path] = (),
    folders: Mapping[str, Path] = {},
    splashes: Mapping[str, Path] = {},
    needs: Collection[str] = tuple(NEEDED),
    memory_mb: int = MEMORY_MB,
) -> Iterator[dict[str, Pictures]]:
    """The modality "frames" with the `options` of a configuration, where there are frame stores.

    `masks` are truth stores; by video, `folders` hold masks of the athlete, `splashes` are files of the splash's. They
    are for training alone, and only those kinds are read that `needs`, of a system, names. `boxes` are followed where
    the options say so, and shown where it names "tubes".
    """
    for name in options:
        if name not in OPTIONS:
            raise InputError(f"frames: unknown '{name}', {nearest(name, OPTIONS)}")
    options = dict(options)
    follows, labels = options.pop("view", "frame") == "athlete", options.pop("masks", False)
    options.pop("detector", None)
    with contextlib.ExitStack() as stack:
        clips, athletes, truth = (
            [stack.enter_context(stores.read(path, kind=kind)) for path in of_kind]
            for of_kind, kind in ((paths, "frames"), (boxes, "boxes"), (masks, "truth"))
        )
        wanted = {NEEDED[word] for word in needs if word in NEEDED} if labels else ()
        sources = {kind: of for kind, of in _sources(truth, folders, splashes).items() if kind in wanted}
        known = dict(boxes=athletes if follows else None, tubes=athletes if TUBES in needs else None, masks=sources)
        yield {FRAMES: Pictures(clips, View(**options), **known, memory_mb=memory_mb)} if clips else {}


def _sources(
    truth: Sequence[stores.Reader], folders: Mapping[str, Path], splashes: Mapping[str, Path]
) -> dict[str, Masks]:
    """Masks by kind."""
    if truth:
        return {kind: StoredMasks(truth, array) for kind, array in TRUTH.items()}
    return {
        **({"athlete": MaskFolders(folders)} if folders else {}),
        **({"splash": SplashFiles(splashes)} if splashes else {}),
    }
