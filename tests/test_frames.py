from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline import frames, stores
from aqa_pipeline.errors import AbsentError, InputError


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
    with pytest.raises(AbsentError, match=r"none.mp4: no such video file or folder of pictures"):
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


@pytest.fixture
def folder(tmp_path):
    """Makes a folder of pictures like the fixture `video`: picture `number` has level 20 + 15 number."""
    import cv2

    def make(numbers, name="img_{:05d}.jpg", width=48, height=32):
        root = tmp_path / "clip"
        root.mkdir(exist_ok=True)
        for number in numbers:
            picture = np.full((height, width, 3), 20 + 15 * number, np.uint8)
            cv2.imwrite(str(root / name.format(number)), picture)
        return root

    return make


def jpegs(arrays) -> list[bytes]:
    return [arrays["jpeg"][a:b].tobytes() for a, b in zip(arrays["offset"], arrays["offset"][1:], strict=False)]


def test_a_folder_is_read_by_the_numbers_in_its_names(folder):
    root = folder([8, 9, 10, 11, 12], name="07_cam2_{}.jpg")  # sorted by name, 8 would come last
    (root / "notes.txt").write_text("5")
    (root / "cover.jpg").touch()
    (root / "._07_cam2_9.jpg").touch()  # what some systems leave beside the file
    numbers, times, pictures = zip(*frames.decode(root, first=9, last=11, fps=50.0), strict=True)
    assert numbers == (9, 10, 11)
    assert times == pytest.approx((0.18, 0.2, 0.22))
    assert levels(pictures) == [9, 10, 11]
    assert pictures[0].shape == (32, 48, 3)
    assert frames.probe(root) == frames.VideoFacts(48, 32, 25.0, 5)
    assert [number for number, _, _ in frames.decode(root)] == [8, 9, 10, 11, 12]


def test_jpeg_files_keep_their_bytes_and_others_are_encoded(folder):
    root = folder([3, 5])
    folder([4], name="img_{:05d}.png")
    arrays, facts = frames.extract(root, fps=30.0)
    assert list(arrays["frame_number"]) == [3, 4, 5]
    assert facts == {"width": 48, "height": 32, "source_height": 32, "fps": 30.0}
    stored = jpegs(arrays)
    assert stored[0] == (root / "img_00003.jpg").read_bytes()
    assert stored[2] == (root / "img_00005.jpg").read_bytes()
    assert levels([frames.decode_jpeg(np.frombuffer(stored[1], np.uint8))]) == [4]


def test_tall_pictures_are_reduced_like_tall_frames(folder):
    arrays, facts = frames.extract(folder([1, 2], width=64, height=48), max_height=24)
    assert (facts["width"], facts["height"], facts["source_height"], facts["fps"]) == (32, 24, 48, 25.0)
    assert frames.decode_jpeg(np.frombuffer(jpegs(arrays)[1], np.uint8)).shape == (24, 32, 3)


def test_gaps_are_counted(folder):
    root = folder([2, 3, 5, 8])
    with pytest.raises(InputError, match=r"clip: lacks 3 of 7 pictures, frames 2 to 8"):
        frames.extract(root)
    with pytest.raises(InputError, match=r"clip: lacks 2 of 4 pictures, frames 5 to 8"):
        frames.extract(root, first=5, last=8)
    with pytest.raises(InputError, match=r"clip: lacks 3 of 3 pictures, frames 20 to 22"):
        frames.extract(root, first=20, last=22)
    assert len(frames.extract(root, first=2, last=3)[0]["time"]) == 2


def test_numbers_given_twice_are_refused_where_they_are_asked_for(folder):
    root = folder([1, 2, 3])
    folder([2], name="{}.png")
    with pytest.raises(InputError, match=r"clip: frame 2 is there twice, '2.png' and 'img_00002.jpg'"):
        frames.extract(root)
    assert len(frames.extract(root, first=3)[0]["time"]) == 1


def test_one_clip_has_one_size(folder):
    root = folder([1, 2])
    folder([3], height=40)
    with pytest.raises(InputError, match=r"clip: frame 3 has 48 x 40 pixels, expected 48 x 32 as before"):
        frames.extract(root)


def test_unusable_folders_are_named(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: holds no picture with a number in its name, expected .jpg, .jpeg"):
        frames.extract(tmp_path / "empty")
    root = folder([1, 2, 3])
    whole = (root / "img_00002.jpg").read_bytes()
    for spoilt in (b"", whole[: len(whole) // 2], whole[:-20], b"no picture"):
        (root / "img_00002.jpg").write_bytes(spoilt)
        with pytest.raises(InputError, match=rf"img_00002.jpg: {len(spoilt)} bytes that cannot be read as a picture"):
            frames.extract(root)
    (root / "20240131120000.jpg").write_bytes(whole)
    with pytest.raises(InputError, match=r"'20240131120000.jpg' has number 20240131120000, expected 9 digits at most"):
        frames.extract(root)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_whatever_the_picture_it_is_read_or_refused(folder, data):
    root = folder([1])
    whole = (root / "img_00001.jpg").read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    changed = whole[:at] + data.draw(st.binary(max_size=40)) + whole[at + data.draw(st.integers(0, 40)) :]
    (root / "img_00001.jpg").write_bytes(changed)
    try:
        arrays, facts = frames.extract(root)
    except InputError:
        return
    assert frames.decode_jpeg(arrays["jpeg"]).shape == (facts["height"], facts["width"], 3)
