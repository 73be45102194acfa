"""Cuts between pictures of noise and of rendered dives; what only moves, flashes or goes dark is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aqa_pipeline import frames, shots
from aqa_pipeline.simdive.clips import simulate_clip
from aqa_pipeline.simdive.dives import draw_dive


def scene(seed, height=300, width=420):
    """A wide picture of coloured patches of many sizes, for a camera to pan over."""
    import cv2

    rng = np.random.default_rng(seed)
    picture = sum(
        cv2.resize(rng.uniform(0, 255, (size, size, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
        for size in (5, 9, 17)
    )
    return np.clip(picture / 3, 0, 255).astype(np.uint8)


def shot(seed, n_frames=12, speed=(0, 0)):
    """Frames (90, 160, 3) of a camera that moves `speed` pixels a frame down and right."""
    wide = scene(seed)
    starts = [(5 + speed[0] * t, 5 + speed[1] * t) for t in range(n_frames)]
    return [wide[y : y + 90, x : x + 160] for y, x in starts]


@pytest.fixture(scope="module")
def dives():
    """Two dives filmed in different halls by a camera that pans after the diver."""
    return [list(simulate_clip(draw_dive(seed=31, index=index)).frames) for index in (0, 1)]


def test_a_cut_is_the_first_frame_of_the_new_shot():
    assert shots.cuts([*shot(1, 7), *shot(2, 9), *shot(3, 8)]) == [7, 16]
    assert shots.cuts([*shot(1, 1), *shot(2, 9)]) == [1]


@pytest.mark.parametrize("speed", [(8, 0), (0, 14), (10, 12)])
def test_a_pan_is_no_cut(speed):
    assert shots.cuts(shot(4, 14, speed)) == []


def test_a_dive_has_no_cut_and_two_dives_have_one(dives):
    first, second = dives
    assert [shots.cuts(dive) for dive in dives] == [[], []]
    for end, start in ((20, 0), (len(first), 25), (45, 30)):
        assert shots.cuts([*first[:end], *second[start:]]) == [end]


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_or_a_dark_moment_is_no_cut(level, length):
    pictures = shot(5, 16, (3, 2))
    pictures[6 : 6 + length] = [np.full_like(pictures[0], level)] * length
    assert shots.cuts(pictures) == []


def test_behind_black_frames_the_shot_goes_on_or_another_begins():
    black = [np.full((90, 160, 3), 9, np.uint8)] * 10
    first = shot(6, 20)
    assert shots.cuts([*first[:8], *black, *first[8:]]) == []
    assert shots.cuts([*first[:8], *black, *shot(7, 6)]) == [18]
    assert shots.cuts(black) == []
    assert shots.cuts([*black, *first]) == []


def test_a_still_picture_has_no_cut():
    assert shots.cuts(shot(8, 1) * 9) == []
    assert shots.cuts([]) == []


def test_frames_pass_through_one_by_one():
    watch = shots.Watch()
    pictures = [*shot(1, 3), *shot(2, 5)]
    taken = []
    for picture in watch(iter(pictures)):
        taken.append(picture)
        assert watch.cuts == ([3] if len(taken) > 3 else [])  # known as soon as the frame is there
    assert all(a is b for a, b in zip(taken, pictures, strict=True))
    list(watch(shot(1, 4)))
    assert watch.cuts == []  # another video


@settings(max_examples=25, deadline=None)
@given(st.lists(arrays(np.uint8, (23, 31, 3), elements=st.integers(0, 255), fill=st.integers(0, 255)), max_size=9))
def test_cuts_of_any_pictures_are_sorted_frame_numbers(pictures):
    found = shots.cuts(pictures)
    assert found == sorted(set(found))
    assert all(0 < cut < len(pictures) for cut in found)


def test_real_cuts(realdata):
    clips = realdata / "dive_clips"
    examples = realdata / "hpmcore_examples" / "images"
    if not clips.is_dir() or not examples.is_dir():
        pytest.skip("AQA_REALDATA has no dive_clips or hpmcore_examples")
    found = [
        shots.cuts(rgb for _, _, rgb in frames.decode(path))
        for path in (clips / "unlv_dive_054.avi", clips / "springboard_unlabelled.mp4", examples)
    ]
    assert found == [[1], [], [34]]  # a portrait for one frame; one shot; two dives, frames 0 to 33 and 34 to 68
