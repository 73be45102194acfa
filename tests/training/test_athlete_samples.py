"""What training sees: whatever is done to a picture is done to its truth."""

import numpy as np
import pytest
import torch

from aqa_pipeline import frames, keypoint_sets, stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.training import athlete_samples
from aqa_pipeline.training.athlete_samples import Samples, Variation

H, W, N = 90, 150, 6
LEFT, RIGHT = (60, 40), (95, 55)  # a red spot for the left wrist, a blue one for the right
COCO = keypoint_sets.get("coco_17")
STILL = Variation(rotation=0.0, shift=0.0, smaller=1.0, larger=1.0)
WILD = Variation(rotation=1.0, shift=0.05, smaller=0.9, larger=1.2)


def spot(frame, place, channel):
    y, x = np.mgrid[:H, :W]
    frame[..., channel] += 220 * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * 2.5**2))


def middle_of(picture, channel):
    """Centre of the spot of one colour in (3, h, w) of -1 .. 1."""
    bright = (picture[channel] - picture.amin(dim=0)).numpy()
    bright = np.where(bright > 0.5 * bright.max(), bright, 0)
    rows, columns = np.mgrid[: bright.shape[0], : bright.shape[1]]
    return np.array([(bright * columns).sum(), (bright * rows).sum()]) / bright.sum()


@pytest.fixture(scope="module")
def samples():
    frame = np.zeros((H, W, 3))
    spot(frame, LEFT, 0)
    spot(frame, RIGHT, 2)
    keypoints = np.zeros((N, 133, 3), np.float32)
    keypoints[:, COCO.index("left_wrist")] = [*LEFT, 2]
    keypoints[:, COCO.index("right_wrist")] = [*RIGHT, 1]
    boxes = np.array([[50, 25, 105, 70]] * N, np.float32)
    return Samples([frames.encode_jpeg(frame.astype(np.uint8), 95)] * N, boxes, keypoints)


@pytest.mark.parametrize("variation", [STILL, WILD])
def test_keypoints_stay_on_their_spots(samples, variation, monkeypatch):
    monkeypatch.setattr(
        athlete_samples, "_coloured", lambda p, rng: torch.from_numpy(p.copy()).permute(0, 3, 1, 2) / 127.5
    )
    pictures, points, states = athlete_samples.athlete_crops(
        samples,
        np.arange(N).repeat(3),
        keypoint_set=COCO,
        size=96,
        padding=1.5,
        variation=variation,
        rng=np.random.default_rng(0),
    )
    assert pictures.shape == (3 * N, 3, 96, 96)
    mirrored = 0
    for picture, place, known in zip(pictures, points.numpy(), states > 0, strict=True):
        left, right = COCO.index("left_wrist"), COCO.index("right_wrist")
        assert known.nonzero()[:, 0].tolist() == [left, right]  # both are seen, nothing else is
        red, blue = middle_of(picture, 0), middle_of(picture, 2)
        if np.linalg.norm(place[left] - red) > 5:  # a mirrored body wears the other colour on its left wrist
            mirrored += 1
            red, blue = blue, red
        assert place[left] == pytest.approx(red, abs=0.5)
        assert place[right] == pytest.approx(blue, abs=0.5)
    assert 0 < mirrored < 3 * N


def test_boxes_stay_around_what_they_held(samples, monkeypatch):
    monkeypatch.setattr(
        athlete_samples, "_coloured", lambda p, rng: torch.from_numpy(p.copy()).permute(0, 3, 1, 2) / 127.5
    )
    variation = Variation(rotation=0.0, shift=0.1, smaller=0.8, larger=1.3)
    pictures, boxes = athlete_samples.whole_pictures(
        samples, np.arange(N), height=48, width=80, variation=variation, rng=np.random.default_rng(1)
    )
    assert pictures.shape == (N, 3, 48, 80)
    for picture, box in zip(pictures, boxes.numpy(), strict=True):
        # In the box's own units the red spot lies at ((60.5 - 50) / 55, (40.5 - 25) / 45) or mirrored.
        where = (middle_of(picture, 0) + 0.5 - box[:2]) / (box[2:] - box[:2])
        assert min(where[0], 1 - where[0]) == pytest.approx(10.5 / 55, abs=0.03)
        assert where[1] == pytest.approx(15.5 / 45, abs=0.03)


def test_a_box_out_of_sight_is_none():
    kept = athlete_samples._inside(np.array([-10.0, 5, 20, 25]), 48, 80)
    assert kept.tolist() == [0, 5, 20, 25]
    assert np.isnan(athlete_samples._inside(np.array([-30.0, 5, 10, 25]), 48, 80)).all()
    assert np.isnan(athlete_samples._inside(np.full(4, np.nan), 48, 80)).all()


def test_every_sample_comes_once_before_any_comes_again():
    drawn = np.concatenate(list(athlete_samples.rounds(7, 3, 7, np.random.default_rng(0))))
    assert len(drawn) == 21
    assert all(sorted(drawn[i : i + 7]) == list(range(7)) for i in (0, 7, 14))


@pytest.fixture
def two_stores(tmp_path, samples):
    """A frame store and a truth store of two videos of 10 frames; the last four frames show nobody."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (H, W, 3), np.uint8) for _ in range(10)]
    with (
        stores.write(tmp_path / "frames.h5", kind="frames", version=1, made_by={}) as clips,
        stores.write(tmp_path / "truth.h5", kind="truth", version=1, made_by={}) as truth,
    ):
        for video_id in ("a", "b"):
            jpegs = [frames.encode_jpeg(p) for p in pictures]
            offset = np.cumsum([0, *map(len, jpegs)])
            clips.put(video_id, {"jpeg": np.concatenate(jpegs), "offset": offset}, fps=25.0)
            box = np.array([[5.0 + i, 5, 40, 50] for i in range(6)] + [[np.nan] * 4] * 4, np.float32)
            truth.put(
                video_id,
                {"box": box, "keypoints": np.full((10, 133, 3), 9, np.float32)},
                fps=25.0,
                entry_time=0.2,
                submerged_time=0.3,
            )
    return tmp_path / "frames.h5", tmp_path / "truth.h5", pictures


def test_gather_brings_pictures_and_truth_together(two_stores):
    frame_store, truth_store, pictures = two_stores
    found = athlete_samples.gather([frame_store], [truth_store], per_video=6, rng=np.random.default_rng(2))
    assert len(found) == 12
    for jpeg, box in zip(found.jpegs, found.boxes, strict=True):
        if np.isfinite(box[0]):
            assert (jpeg == frames.encode_jpeg(pictures[int(box[0]) - 5])).all()
    again = athlete_samples.gather([frame_store], [truth_store], per_video=6, rng=np.random.default_rng(2))
    assert np.array_equal(found.boxes, again.boxes, equal_nan=True)


def test_gather_prefers_frames_that_show_the_athlete(two_stores):
    frame_store, truth_store, _ = two_stores
    shown = [
        np.isfinite(
            athlete_samples.gather([frame_store], [truth_store], per_video=4, rng=np.random.default_rng(s)).boxes[:, 0]
        ).mean()
        for s in range(20)
    ]
    assert np.mean(shown) > 0.7  # 0.6 if all were alike
    with pytest.raises(InputError, match="no frames"):
        athlete_samples.gather([], [], per_video=4, rng=np.random.default_rng(0))


def test_colours_vary_but_stay_in_range():
    pictures = np.random.default_rng(0).integers(0, 255, (40, 12, 10, 3), np.uint8)
    batch = athlete_samples._coloured(pictures.copy(), np.random.default_rng(1))
    plain = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1
    assert batch.shape == (40, 3, 12, 10)
    assert batch.abs().max() <= 1
    assert (batch - plain).abs().mean() > 0.05
    likeness = [np.corrcoef(a.flatten(), b.flatten())[0, 1] for a, b in zip(batch.numpy(), plain.numpy(), strict=True)]
    assert np.median(likeness) > 0.9
