"""The hall behind the diver: painted once a clip, then seen through a window that moves with the camera."""

from __future__ import annotations

import numpy as np

from aqa_pipeline.simdive import boards, crowd, people, water
from aqa_pipeline.simdive.camera import Camera
from aqa_pipeline.simdive.canvas import Canvas, mixed, shaded
from aqa_pipeline.simdive.venue import Venue


class Scene:
    """Background of one clip for a camera whose centre stays on `path` (T, 2), metres of the view."""

    def __init__(
        self,
        camera: Camera,
        venue: Venue,
        path: np.ndarray,
        rng: np.random.Generator,
        *,
        board: str,
        height: float,
    ) -> None:
        self.camera, self.venue, self.board, self.height = camera, venue, board, height
        half = np.array([camera.width, camera.height]) / 2 / camera.scale + 0.3
        self._canvas = Canvas(camera, path.min(axis=0) - half, path.max(axis=0) + half)
        self._water = water.far_edge(self._canvas, venue)
        _paint(self._canvas, venue, rng, board=board, height=height)
        _light(self._canvas.pixels, venue, rng)
        pool = self._canvas.row(self._water)
        size = self._canvas.pixels.shape
        self._play = water.PlayOfLight(rng, width=camera.width, height=camera.height, scale=camera.scale)
        self._has_water = pool < size[0]

    def background(self, centre: np.ndarray, *, sweep: np.ndarray, time: float) -> np.ndarray:
        """The picture (H, W, 3) uint8 at a camera centre (2,), blurred along `sweep` (2,), metres."""
        import cv2

        camera = self.camera
        place = self._canvas.place(centre)
        frame = cv2.getRectSubPix(self._canvas.pixels, (camera.width, camera.height), tuple(place.tolist()))
        first = camera.height / 2 - (self._water - centre[1]) * camera.scale
        if self._has_water and first < camera.height:
            corner = place - [camera.width / 2, camera.height / 2]
            self._play.add(frame, first_row=max(0, round(first) + 2), corner=corner, time=time)
        kernel = streak(sweep * [camera.scale, -camera.scale])
        return frame if kernel is None else cv2.filter2D(frame, -1, kernel)

    def draw_board(self, frame: np.ndarray, centre: np.ndarray, *, tip: float) -> None:
        """Draw the diver's springboard into a frame, in place, its tip `tip` metres above the water."""
        import cv2

        if self.board != "springboard":
            return
        colour = mixed(boards.BOARD, self.venue.accent, 0.1)
        for outline, light in zip(
            boards.springboard(self.camera, height=self.height, tip=tip), (1.0, 0.7), strict=True
        ):
            corners = np.round(self.camera.pixels(outline, centre)[:, :2] * 16).astype(np.int32)
            tinted = tuple(
                float(c) for c in np.minimum(np.multiply(shaded(colour, light), self.venue.tint), 255)
            )
            cv2.fillPoly(frame, [corners], tinted, lineType=cv2.LINE_AA, shift=4)


def _paint(canvas: Canvas, venue: Venue, rng: np.random.Generator, *, board: str, height: float) -> None:
    edge = water.far_edge(canvas, venue)
    stands = edge + 4.0 * np.sin(canvas.camera.pitch)
    crowd.paint_stands(canvas, venue, rng, bottom=stands)
    boards.paint_deck(canvas, venue, bottom=edge, depth=4.0)
    across = np.array([rng.uniform(-6, 14, 9), np.full(9, 0.0), -venue.pool_width - rng.uniform(0.6, 3.5, 9)])
    people.paint_people(canvas, venue, rng, across.T[: rng.integers(3, 10)])
    water.paint_pool(canvas, venue, rng)
    boards.paint_near_deck(canvas, venue)
    if board == "platform":
        boards.paint_tower(canvas, venue, height=height)
        waiting = np.array([(end - rng.uniform(0.3, 2.0), level, -3.5) for level, end in boards.LANDINGS])
        waiting = waiting[rng.uniform(size=len(waiting)) < 0.6]
        waiting = np.concatenate([waiting, [(-rng.uniform(3.0, 6.0), height, -0.8)]])
    else:
        boards.paint_springboards(canvas, venue, rng, height=height)
        waiting = np.array([(-rng.uniform(3.5, 4.5), rng.choice([1.0, 3.0]), -2.6)])
    beside = np.array(
        [(boards.EDGE - rng.uniform(0.3, 4), 0.25, rng.uniform(-5, -0.9)) for _ in range(rng.integers(1, 4))]
    )
    people.paint_people(canvas, venue, rng, np.concatenate([waiting, beside]))


def _light(pixels: np.ndarray, venue: Venue, rng: np.random.Generator) -> None:
    """The lamps' tint and exposure, a little uneven over the hall, on the painted pixels in place."""
    import cv2

    patches = rng.uniform(0.84, 1.08, (5, 4, 1)) * np.array(venue.tint)
    field = cv2.resize((128 * patches).astype(np.uint8), pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    cv2.multiply(pixels, field, dst=pixels, scale=1 / 128)


def streak(sweep: np.ndarray) -> np.ndarray | None:
    """A blur kernel along `sweep` (2,) pixels; None where the motion is under half a pixel."""
    length = float(np.hypot(*sweep))
    if length < 0.5:
        return None
    reach = int(np.ceil(np.abs(sweep).max() / 2))
    size = 2 * reach + 1
    kernel = np.zeros((size + 1, size + 1), np.float32)
    drops = max(3, int(4 * length))
    for share in (np.arange(drops) + 0.5) / drops - 0.5:  # bilinear drops along the line
        x, y = reach + share * sweep[0], reach + share * sweep[1]
        i, j, fx, fy = int(y), int(x), x - int(x), y - int(y)
        kernel[i, j] += (1 - fx) * (1 - fy)
        kernel[i, j + 1] += fx * (1 - fy)
        kernel[i + 1, j] += (1 - fx) * fy
        kernel[i + 1, j + 1] += fx * fy
    return kernel[:size, :size] / kernel[:size, :size].sum()
