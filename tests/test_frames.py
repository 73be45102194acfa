from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline import frames, stores
from aqa_pipeline.errors import InputError


def levels(pictures) -> list[int]:
    return [round((float(picture.mean()) - 20) / 15) for picture in pictures]


def test_decode_gives_the_asked_frames_in_order(video):
    numbers, times, pictures = zip(*frames.decode(video(), first=3, last=6), strict=True)
    assert numbers == (3, 4, 5, 6)
    assert times == pytest.approx((0.15, 0.2, 0.25, 0.3))
    assert levels(pictures) == [3, 4, 5, 6]
    assert pictures[0].shape == (32, 48, 3)


def test_probe(video):
    assert frames.probe(video()) == frames.VideoFacts(48, 32, 20.0, 13)


def test_colours_keep_their_order_through_jpeg():
    red = np.zeros((16, 24, 3), np.uint8)
    red[:, :, 0] = 200
    np.testing.assert_allclose(frames.decode_jpeg(frames.encode_jpeg(red, 95)), red, atol=6)


def test_round_trip_through_a_store(video, tmp_path):
    arrays, facts = frames.extract(video(), first=2, last=9)
    with stores.write(tmp_path / "f.h5", kind="frames", version=1, made_by={}) as store:
        store.put("a", arrays, **facts)
    with stores.read(tmp_path / "f.h5", kind="frames") as store:
        clip = frames.StoredFrames(store, "a")
        assert len(clip) == 8
        assert levels(clip) == [2, 3, 4, 5, 6, 7, 8, 9]
        assert levels([clip[0], clip[5], clip[-1]]) == [2, 7, 9]
        with pytest.raises(IndexError):
            clip[8]
        assert clip.facts == {"width": 48, "height": 32, "source_height": 32, "fps": 20.0}


def test_tall_frames_are_reduced(video):
    arrays, facts = frames.extract(video(width=64, height=48), max_height=24)
    assert (facts["width"], facts["height"], facts["source_height"]) == (32, 24, 48)
    assert frames.decode_jpeg(arrays["jpeg"][: arrays["offset"][1]]).shape == (24, 32, 3)


def test_a_video_that_ends_early_says_where(video):
    with pytest.raises(InputError, match=r"clip.mp4: ends at frame 12, expected frames 5 to 20"):
        frames.extract(video(), first=5, last=20)
    with pytest.raises(InputError, match=r"no frame could be read from frame 40 on"):
        frames.extract(video(), first=40)
    with pytest.raises(InputError, match=r"has 13 frames, expected at least 96"):
        frames.expect_length("x.mp4", 13, 96)


def test_missing_and_empty_files_are_named(tmp_path):
    with pytest.raises(InputError, match="no such video file"):
        frames.probe(tmp_path / "none.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(InputError, match="the file is empty"):
        frames.probe(tmp_path / "empty.mp4")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(min_size=1, max_size=400))
def test_no_bytes_break_the_reader(tmp_path, data):
    path = tmp_path / "noise.mp4"
    path.write_bytes(data)
    with pytest.raises(InputError):
        frames.extract(path)


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_truncated_video_is_an_error_and_never_a_crash(video, share):
    path = video(n_frames=40)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match=r"clip.mp4"):
        frames.extract(path, last=39)
