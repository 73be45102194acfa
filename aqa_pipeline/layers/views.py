"""Views of a clip: which of its frames a network is shown, how large, cut out where, and which way round.

The defaults are those of FineDiving's released pipeline and of its successors; CoRe's and MUSDL's are options. Their
order is flip, resize, crop. Ours resizes first, which gives the same pixels (the filter is symmetric) and lets resized
frames be kept while flip and crop are drawn anew for every step.

The released pipelines hand Pillow a pair whose sides are swapped, so that a nominal 200 x 112 comes out 112 wide and
200 high: the whole width, squeezed, and of the height what the crop leaves. `swap_resize` does the same. Pictures are
resized as Pillow does it, whose filters average over all pixels that shrink into one; OpenCV's do not.

Shapes: T frames of n, H W of a frame, h w of a resized one.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers import crops

SAMPLING = ("linspace", "last", "first", "last_part")
BEYOND = ("repeat", "black")
INTERPOLATION = ("bilinear", "random")
NEAREST, LANCZOS, BILINEAR, BICUBIC = range(4)  # as Pillow numbers its filters
STEADY, PADDING, SHARE = 2.0, 1.25, 0.95  # of `followed`: frames, times the box, of the boxes that fit


@dataclass(frozen=True)
class Placement:
    """What was drawn for one clip; by default the view of a test."""

    shift: int = 0  # frames
    flipped: bool = False
    corner: tuple[float, float] | None = None  # share of the room to the left and above, 0 to 1; None: the middle
    filters: tuple[int, ...] = ()  # of each of the T frames; bilinear where there are none


@dataclass(frozen=True, kw_only=True)
class View:
    """How clips are shown.

    Parameters
    ----------
    n_frames : T
    sampling
        "linspace": truncated positions over the whole clip (FineDiving), "last": the clip's last frames (CoRe on
        MTL-AQA), "first": its first (CoRe on AQA-7, MUSDL), "last_part": the last of the whole parts of this length
        that it has, counted from the first frame (the last fragment of Li et al., PCM 2018).
    stride
        Frames from one that is shown to the next, truncated, where other than "linspace" is sampled: of MTL-AQA's 103
        frames MSCADC is shown every 6.5th.
    beyond : positions beyond the clip repeat its first or last frame, or, after its end, are "black"
    shift
        Frames, drawn for training between both, inclusive: of the last frame of "linspace", else of all of them.
    resize, swap_resize : width and height, None for none; and whether they are swapped, see above
    crop, centred
        Side of the square that is cut out: anywhere in training unless it is `centred` (MTL-AQA's authors), in the
        middle otherwise.
    flip : chance in training
    interpolation : "bilinear", or "random": one of Pillow's four, drawn for each frame, also in tests (MUSDL)
    """

    n_frames: int = 96
    sampling: str = "linspace"
    stride: float = 1.0
    beyond: str = "repeat"
    shift: Sequence[int] = (0, 0)
    resize: Sequence[int] | None = (200, 112)
    swap_resize: bool = True
    crop: int = 112
    centred: bool = False
    flip: float = 0.5
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        for name, known in (("sampling", SAMPLING), ("beyond", BEYOND), ("interpolation", INTERPOLATION)):
            expect_one_of(f"frames.{name}", getattr(self, name), known)
        if self.shift[0] > self.shift[1]:
            raise InputError(f"frames.shift: found {list(self.shift)}, expected the smaller first")
        if self.resize is not None and self.crop > min(self.resize):
            raise InputError(f"frames.crop: found {self.crop}, expected {min(self.resize)} at most, as frames.resize")

    @property
    def size(self) -> tuple[int, int, int]:
        """T, H and W of what is shown."""
        return self.n_frames, self.crop, self.crop

    @property
    def _resized_size(self) -> tuple[int, int] | None:
        """Width and height that pictures are brought to; None: they keep theirs."""
        if self.resize is None:
            return None
        return tuple(reversed(self.resize)) if self.swap_resize else tuple(self.resize)

    def placed(self, video_id: str, draw: Sequence[int] | None = None) -> Placement:
        """What is drawn for a clip: by its name and the key `draw` alone; without a key, the view of a test."""
        rng = np.random.default_rng([*(draw or ()), zlib.crc32(video_id.encode())])
        filters = tuple(rng.integers(4, size=self.n_frames).tolist()) if self.interpolation == "random" else ()
        if draw is None:
            return Placement(filters=filters)
        shift = int(rng.integers(*self.shift, endpoint=True))
        flipped, corner = bool(rng.random() < self.flip), (float(rng.random()), float(rng.random()))
        return Placement(shift, flipped, None if self.centred else corner, filters)

    def positions(self, n: int, placement: Placement = Placement()) -> np.ndarray:
        """The frames shown (T,), of a clip of `n`."""
        return np.clip(self._sampled(n, placement), 0, n - 1)

    def blacked(self, n: int, placement: Placement = Placement()) -> np.ndarray:
        """Which of the frames shown (T,) are black, since a clip of `n` has none there."""
        return (self._sampled(n, placement) >= n) & (self.beyond == "black")

    def _sampled(self, n: int, placement: Placement) -> np.ndarray:
        """Positions (T,) in a clip of `n`, or beyond it."""
        if self.sampling == "linspace":
            return np.linspace(0, max(0, n - 1 + placement.shift), self.n_frames).astype(int)
        steps = (self.stride * np.arange(self.n_frames)).astype(int)
        part = int(self.stride * self.n_frames)
        start = {"first": 0, "last": n - 1 - steps[-1], "last_part": max(0, n // part - 1) * part}
        return start[self.sampling] + placement.shift + steps

    def resized(
        self, pictures: Sequence[np.ndarray], *, filters: Sequence[int] = (), regions: np.ndarray | None = None
    ) -> np.ndarray:
        """Pictures `(H, W, 3)` or `(H, W)` of one size in their new one, stacked: (N, h, w, 3) or (N, h, w).

        Bilinear by torch, within one grey level of Pillow and up to ten times faster; with `filters`, one a picture,
        by Pillow. Of `regions` (N, 4) of one size alone, where they are given, black beyond the picture.
        """
        from PIL import Image

        if regions is not None:
            places = [tuple(int(side) for side in region) for region in regions]
            pictures = [
                np.asarray(Image.fromarray(picture).crop(place))
                for picture, place in zip(pictures, places, strict=True)
            ]
        if self._resized_size is None:
            return np.stack(pictures)
        width, height = self._resized_size
        if not filters:
            return bilinear(np.stack(pictures), height, width)
        images = zip(map(Image.fromarray, pictures), filters, strict=True)
        return np.stack([np.asarray(image.resize((width, height), chosen)) for image, chosen in images])

    def cut(self, pictures: np.ndarray, placement: Placement = Placement()) -> np.ndarray:
        """The crop of resized pictures `(T, h, w, ...)`, as a view of them."""
        height, width = pictures.shape[1:3]
        left, top = self._corner(width, height, placement)
        if placement.flipped:
            pictures = pictures[:, :, ::-1]
        return pictures[:, top : top + self.crop, left : left + self.crop]

    def moved(
        self,
        points: np.ndarray,
        size: tuple[int, int],
        placement: Placement = Placement(),
        *,
        regions: np.ndarray | None = None,
    ) -> np.ndarray:
        """Where `resized` and `cut` bring points `(T, K, 2)`, x and y in frames of `size` (width, height).

        The left upper corner of a pixel has whole numbers. `regions` as in `resized`.
        """
        if regions is not None:
            points = points - regions[:, None, :2]
            size = tuple(int(side) for side in regions[0, 2:] - regions[0, :2])
        width, height = self._resized_size or size
        points = points * (np.array([width, height]) / size)
        if placement.flipped:
            points = points * [-1, 1] + [width, 0]
        return points - self._corner(width, height, placement)

    def _corner(self, width: int, height: int, placement: Placement) -> tuple[int, int]:
        """Left and top of the crop in resized pictures; InputError where they are smaller."""
        if min(height, width) < self.crop:
            raise InputError(f"frames.crop: found {self.crop}, expected {min(height, width)} at most, as the pictures")
        shares = placement.corner or (None, None)
        left, top = (_offset(side - self.crop, share) for side, share in zip((width, height), shares, strict=True))
        return left, top


def bilinear(pictures: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pictures (N, H, W, 3) or (N, H, W) uint8 in another size, as Pillow's filter of this name, by torch."""
    import torch
    from torch.nn import functional

    channels_first = torch.from_numpy(pictures.reshape(*pictures.shape[:3], -1)).permute(0, 3, 1, 2)
    resized = functional.interpolate(channels_first, (height, width), mode="bilinear", antialias=True)
    return resized.permute(0, 2, 3, 1).numpy().reshape(len(pictures), height, width, *pictures.shape[3:])


def _offset(room: int, share: float | None) -> int:
    return round(room / 2) if share is None else int(share * (room + 1))


def followed(boxes: np.ndarray) -> np.ndarray:
    """Squares `(T, 4)` int, left top right bottom, that follow the athlete's boxes `(T, 4+)` steadily.

    All have the size that holds nearly all of the boxes, so that a dive has one scale; their middles are smoothed, and
    where nobody was found, they lie between those before and after.
    """
    from scipy.ndimage import gaussian_filter1d

    known = np.isfinite(boxes[:, :4]).all(axis=1)
    if not known.any():
        raise InputError("no athlete in any frame, expected at least one box")
    centres, sides = crops.squares(boxes[known], padding=PADDING)
    frames = np.arange(len(boxes))
    centres = np.stack([np.interp(frames, frames[known], axis) for axis in centres.T], axis=1)
    centres = gaussian_filter1d(centres, STEADY, axis=0, mode="nearest")
    half = np.quantile(sides, SHARE) / 2
    corner = np.rint(centres - half).astype(int)
    return np.concatenate([corner, corner + round(2 * half)], axis=1)
