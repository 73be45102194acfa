from __future__ import annotations

import struct
from pathlib import Path

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


VIDEOS = Path(__file__).parent / "videos"


def test_a_varying_rate_keeps_the_clock_of_the_container():
    stamps = [0, 0.05, 0.1, 0.25, 0.3, 0.35, 0.6, 0.65, 0.7, 0.75]
    arrays, facts = frames.extract(VIDEOS / "varying_rate.mkv")
    np.testing.assert_allclose(arrays["time"], stamps, atol=1e-6)
    assert facts["fps"] == pytest.approx(9 / 0.75)
    part, of_part = frames.extract(VIDEOS / "varying_rate.mkv", first=3, last=6)
    np.testing.assert_allclose(part["time"], stamps[3:7], atol=1e-6)
    assert of_part["fps"] == pytest.approx(3 / 0.35)


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([0.2, 0.24, 0.28, 0.32], [0, 0.04, 0.08, 0.12]),  # begins late
        ([0, 0, 0, 0], [0, 0.05, 0.1, 0.15]),  # says nothing
        ([0, 0.1, 0.05, 0.15], [0, 0.1, 0.15, 0.25]),  # goes back
        ([0, 0.1, 95000.0, 95000.1], [0, 0.1, 0.15, 0.25]),  # jumps
        ([0, float("nan"), 0.1, 0.15], [0, 0.05, 0.1, 0.15]),
    ],
)
def test_time_stamps_out_of_order_are_replaced_by_the_rate(stamps, expected):
    clock = frames._Clock(20.0)
    assert [clock.at(stamp) for stamp in stamps] == pytest.approx(expected)


def test_ten_bits_are_read_as_eight():
    arrays, facts = frames.extract(VIDEOS / "ten_bit.mp4")
    pictures = [frames.decode_jpeg(np.frombuffer(jpeg, np.uint8)) for jpeg in jpegs(arrays)]
    assert levels(pictures) == list(range(10))
    assert (facts["width"], facts["height"], facts["fps"]) == (48, 32, 20.0)


TURNS = {  # the matrix of a track's header in 65536ths, and where the mark at the upper left goes
    90: ((0, 1, 0, -1, 0, 0, 32, 0), (27.5, 3.5)),
    180: ((-1, 0, 0, 0, -1, 0, 48, 32), (43.5, 27.5)),
    270: ((0, -1, 0, 1, 0, 0, 0, 48), (3.5, 43.5)),
}


@pytest.mark.parametrize("degrees", TURNS)
def test_a_film_of_a_turned_phone_is_turned_once(tmp_path, degrees):
    import cv2

    path = tmp_path / "phone.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 20.0, (48, 32))
    picture = np.full((32, 48, 3), 60, np.uint8)
    picture[:8, :8] = (0, 0, 255)
    for _ in range(4):
        writer.write(picture)
    writer.release()
    numbers, middle = TURNS[degrees]
    raw = bytearray(path.read_bytes())
    at = raw.index(b"tkhd") + 44  # in version 0 of the header
    assert struct.unpack_from(">9i", raw, at) == (65536, 0, 0, 0, 65536, 0, 0, 0, 2**30)
    struct.pack_into(">8i", raw, at, *(65536 * number for number in numbers))
    path.write_bytes(raw)
    facts = frames.probe(path)
    size = (48, 32) if degrees == 180 else (32, 48)
    assert (facts.width, facts.height) == size
    _, _, rgb = next(frames.decode(path))
    assert rgb.shape == (size[1], size[0], 3)
    rows, columns = np.nonzero(rgb[..., 0] > 200)
    assert (columns.mean(), rows.mean()) == pytest.approx(middle, abs=0.6)
    assert frames.extract(path)[1]["width"] == size[0]


@pytest.mark.parametrize(("width", "height"), [(64, 48), (36, 64), (64, 36), (46, 30)])
@pytest.mark.parametrize("max_height", [None, 29])
def test_every_aspect_ratio_is_kept(video, width, height, max_height):
    arrays, facts = frames.extract(video(width=width, height=height, n_frames=3), max_height=max_height)
    expected = (width, height) if max_height is None else (round(width * 29 / height), 29)
    assert (facts["width"], facts["height"]) == expected
    picture = frames.decode_jpeg(np.frombuffer(jpegs(arrays)[2], np.uint8))
    assert picture.shape == (expected[1], expected[0], 3)
    assert levels([picture]) == [2]


def test_odd_sides_are_kept(folder):
    _, facts = frames.extract(folder([1, 2], width=47, height=31))
    assert (facts["width"], facts["height"]) == (47, 31)


def test_black_frames_are_frames(tmp_path):
    import cv2

    writer = cv2.VideoWriter(str(tmp_path / "black.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, (48, 32))
    for level in (0, 0, 120, 0):
        writer.write(np.full((32, 48, 3), level, np.uint8))
    writer.release()
    arrays, _ = frames.extract(tmp_path / "black.mp4")
    means = [frames.decode_jpeg(np.frombuffer(jpeg, np.uint8)).mean() for jpeg in jpegs(arrays)]
    assert means == pytest.approx([0, 0, 120, 0], abs=3)


def test_a_video_cut_short_gives_what_is_there_and_says_so(tmp_path, caplog):
    import cv2

    path = tmp_path / "cut.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (48, 32))
    for i in range(30):
        writer.write(np.full((32, 48, 3), 20 + 5 * i, np.uint8))
    writer.release()
    whole = path.read_bytes()
    frames.extract(path)
    assert caplog.text == ""
    path.write_bytes(whole[: len(whole) * 6 // 10])
    n_frames = len(frames.extract(path)[0]["time"])
    assert 3 < n_frames < 27
    assert f"cut.avi: ends after {n_frames} of about 30 frames, it may be cut short" in caplog.text
    with pytest.raises(InputError, match=rf"cut.avi: ends at frame {n_frames - 1}, expected frames 0 to 29"):
        frames.extract(path, last=29)


def test_a_film_has_the_pictures_that_were_given(tmp_path):
    pictures = [np.full((32, 48, 3), level, np.uint8) for level in (40, 120, 200)]
    frames.write_video(tmp_path / "new" / "film.mp4", iter(pictures), fps=20.0)
    read = [rgb for _, _, rgb in frames.decode(tmp_path / "new" / "film.mp4")]
    assert [rgb.shape for rgb in read] == [(32, 48, 3)] * 3
    np.testing.assert_allclose([rgb.mean() for rgb in read], [40, 120, 200], atol=4)


def test_a_film_that_cannot_be_written_whole_is_none(tmp_path):
    pictures = [np.zeros((32, 48, 3), np.uint8), np.zeros((32, 50, 3), np.uint8)]  # OpenCV passes the second over
    for shown, said in ((pictures, "1 of 2"), ([], "0 of 0")):
        with pytest.raises(InputError, match=f"film.mp4: {said} frames could be written"):
            frames.write_video(tmp_path / "film.mp4", shown, fps=20.0)
    assert list(tmp_path.iterdir()) == []
