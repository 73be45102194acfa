"""Clips that look the same are found in videos, folders and frame stores; others are not."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from aqa_pipeline import frames, stores
from aqa_pipeline.audit import near_duplicates

HEIGHT, WIDTH = 60, 80


def scene(seed, n_frames):
    """A coarse random pattern that moves, (T, H, W, 3) uint8; nothing in it is symmetric."""
    rng = np.random.default_rng(seed)
    wide = cv2.resize(rng.integers(0, 256, (7, 40, 3)).astype(np.uint8), (400, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.stack([wide[:, 3 * t : 3 * t + WIDTH] for t in range(n_frames)])


@pytest.fixture
def clips():
    """Five clips: b is a made brighter, d is c mirrored, e is like none."""
    a, c, e = scene(1, 40), scene(2, 30), scene(3, 25)
    return {"a": a, "b": (a * 0.8 + 40).astype(np.uint8), "c": c, "d": c[:, :, ::-1], "e": e}


def write_video(path, pictures, before=0):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, (WIDTH, HEIGHT))
    for picture in [*pictures[:1].repeat(before, axis=0), *pictures]:
        writer.write(np.ascontiguousarray(picture[:, :, ::-1]))
    writer.release()


def write_folder(folder, pictures, before=0):
    folder.mkdir()
    for number, picture in enumerate(pictures, start=before):
        (folder / f"{number:05d}.jpg").write_bytes(frames.encode_jpeg(picture).tobytes())


@pytest.fixture
def on_disk(clips, subject, tmp_path):
    def make(write, **more):
        for name, pictures in clips.items():
            write(tmp_path / name, pictures, before=7)
        return subject(
            path=[str(tmp_path / name) for name in clips],
            first_frame=[7] * 5,
            last_frame=[6 + len(pictures) for pictures in clips.values()],
            part=["train", "test", "train", "test", "test"],
            more=dict(hashing=True, **more),
        )

    return make


def pairs(details):
    return {(detail.video_id, detail.other): detail.text for detail in details}


@pytest.mark.parametrize("write", [lambda path, *rest, before: write_video(f"{path}.mp4", *rest, before), write_folder])
@pytest.mark.parametrize("mirrored", [False, True])
def test_copies_and_mirror_images_are_found(on_disk, values, write, mirrored):
    made = on_disk(write, mirrored=mirrored)
    if write is not write_folder:
        made = replace(made, samples=made.samples.assign(path=made.samples["path"] + ".mp4"))
    findings, details = values("near_duplicates", made)
    found = pairs(details)
    assert findings["clips_hashed"].value == 5
    assert findings["near_pairs"].value == 1
    assert findings["near_pairs.across_parts"].warning
    assert found["a", "b"].startswith("near: ")
    assert found["a", "b"].endswith("bits, train and test")
    assert set(found) == ({("a", "b"), ("c", "d")} if mirrored else {("a", "b")})
    if mirrored:
        assert found["c", "d"].startswith("mirrored: ")


def test_stored_frames_are_read_in_place_of_the_paths(clips, subject, values, tmp_path):
    paths = [tmp_path / "0000.h5", tmp_path / "0001.h5"]
    for path, names in zip(paths, ("ace", "bd"), strict=True):
        with stores.write(path, kind="frames", version=1, made_by={}) as store:
            for name in names:
                jpegs = [frames.encode_jpeg(picture) for picture in clips[name]]
                offset = np.cumsum([0, *map(len, jpegs)])
                store.put(name, {"jpeg": np.concatenate(jpegs), "offset": offset}, fps=25.0)
    made = subject(score=[1.0] * 6, more=dict(hashing=True, stores=paths))
    findings, details = values("near_duplicates", made)
    assert findings["clips_hashed"][1:3] == (5, 6)
    assert findings["clips_hashed"].warning
    assert pairs(details)["f", ""] == "not hashed: no frame store holds it"
    assert ("a", "b") in pairs(details)
    assert findings["near_pairs"].value == 1


def test_a_missing_or_short_video_is_told_and_left_out(subject, values, video, tmp_path):
    paths = [str(video("one.mp4", n_frames=20)), str(tmp_path / "no.mp4"), str(video("three.mp4", n_frames=6))]
    made = subject(path=paths, first_frame=[0] * 3, last_frame=[19, 19, 19], more=dict(hashing=True))
    findings, details = values("near_duplicates", made)
    assert findings["clips_hashed"].value == 1
    assert [detail.video_id for detail in details] == ["b", "c"]
    assert "no such video" in details[0].text


def found(hashes, **options):
    return list(zip(*(array.tolist() for array in near_duplicates.near(hashes, hashes, **options)), strict=True))


def test_distances_by_hand():
    none, one, many = np.zeros(8, np.uint64), np.full(8, 1, np.uint64), np.full(8, 2**20 - 1, np.uint64)
    hashes = np.stack([none, many, one])
    assert found(hashes) == [(0, 2, 1.0)]
    assert found(hashes, limit=19) == [(0, 2, 1.0), (1, 2, 19.0)]
    assert found(hashes[:0]) == []


def test_blocks_change_nothing():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**12, (3 * near_duplicates.BLOCK + 5, near_duplicates.FRAMES), dtype=np.uint64)
    slow = [
        (a, b)
        for a in range(len(hashes))
        for b in range(a + 1, len(hashes))
        if sum(int(x ^ y).bit_count() for x, y in zip(hashes[a], hashes[b], strict=True)) <= 36
    ]
    assert [pair[:2] for pair in found(hashes, limit=4.5)] == slow
    assert slow
