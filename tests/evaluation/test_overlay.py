import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import frames, keypoint_sets
from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import overlay

STEPS = [{"sub_action": "take_off", "first_frame": 0}, {"sub_action": "entry", "first_frame": 4}]
COCO = keypoint_sets.get("coco_17")


@pytest.fixture
def clip():
    return [np.full((90, 161, 3), 128, np.uint8) for _ in range(7)]


def near(picture, colour):
    return np.abs(picture.astype(int) - colour).max(axis=2) < 6


def test_pages_are_enlarged_and_even_with_a_strip_below(clip):
    pages = list(overlay.pages(clip, overlay.Story(), height=180))
    assert len(pages) == 7
    assert pages[0].shape == (180 + 64, 322, 3)
    assert next(iter(overlay.pages(clip, overlay.Story(), height=10))).shape == (90 + 64, 160, 3)


def test_the_box_is_where_it_should_be(clip):
    boxes = np.full((7, 5), np.nan)
    boxes[2] = [20, 30, 60, 70, 0.9]
    pages = list(overlay.pages(clip, overlay.Story(boxes=boxes), height=180))
    rows, columns = np.nonzero(near(pages[2][:180], overlay.BOX))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((60, 140, 40, 120), abs=2)
    assert not near(pages[3][:180], overlay.BOX).any()


def test_the_partner_is_drawn_too(clip):
    boxes, points = np.full((2, 7, 5), np.nan), np.full((7, 17, 3), np.nan)
    boxes[:, 2] = [[20, 30, 60, 70, 0.9], [100, 30, 130, 70, 0.9]]
    points[2, COCO.index("left_hip")] = [115, 50, 0.9]
    story = overlay.Story(boxes=boxes[0], partner_boxes=boxes[1], partner_keypoints=points, keypoint_set=COCO)
    page = list(overlay.pages(clip, story, height=180))[2][:180]
    columns = np.nonzero(near(page, overlay.BOX))[1]
    assert (columns.min(), columns.max()) == pytest.approx((40, 260), abs=2)
    assert near(page[95:106, 225:236], overlay.LEFT).any()


def test_left_and_right_have_colours_of_their_own_and_unseen_points_none(clip):
    keypoints = np.full((7, 17, 3), np.nan)
    for name, x in (("left_hip", 30), ("left_knee", 30), ("right_hip", 90), ("right_knee", 90)):
        keypoints[:, COCO.index(name)] = [x, 20 if "hip" in name else 60, 0.9]
    keypoints[1, COCO.index("right_knee"), 2] = 0.01
    story = overlay.Story(keypoints=keypoints, keypoint_set=COCO)
    pages = list(overlay.pages(clip, story, height=90))
    assert near(pages[0][35:45, 25:36], overlay.LEFT).any()
    assert near(pages[0][35:45, 85:96], overlay.RIGHT).any()
    assert not near(pages[1][35:45, 85:96], overlay.RIGHT).any()


def test_the_phase_of_a_frame():
    assert [overlay.phase_at(STEPS, number) for number in (0, 3, 4, 9)] == ["take_off", "take_off", "entry", "entry"]
    assert overlay.phase_at(STEPS[1:], 2) == ""
    assert overlay.phase_at([], 2) == ""


def test_the_strip_follows_the_frames(clip):
    pages = list(overlay.pages(clip, overlay.Story(steps=STEPS), height=90))
    marks = [np.nonzero(near(page[-64:][34:35], overlay.INK)[0])[0].mean() for page in pages]
    assert (np.diff(marks) > 10).all()
    assert {tuple(pages[0][-20, x]) for x in (50, 120)} == {overlay.PHASES[0], overlay.PHASES[1]}


def test_the_running_score_changes_the_strip(clip):
    running = np.array([np.nan, 10.0, 20.0, 20.0, 30.0, 40.0, 50.0])
    told = list(overlay.pages(clip, overlay.Story(running=running), height=90))
    untold = list(overlay.pages(clip, overlay.Story(), height=90))
    differs = [not np.array_equal(a, b) for a, b in zip(told, untold, strict=True)]
    assert differs == [False, True, True, True, True, True, True]


def test_a_film_can_be_read_back(clip, tmp_path):
    overlay.film(clip, overlay.Story(title="a dive", steps=STEPS), tmp_path / "a.mp4", fps=20.0, height=90)
    facts = frames.probe(tmp_path / "a.mp4")
    assert (facts.width, facts.height, facts.fps, facts.n_frames) == (160, 154, 20.0, 7)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_an_unfinished_film_is_not_left_behind(clip, tmp_path):
    with pytest.raises(IndexError):
        overlay.film(clip, overlay.Story(boxes=np.full((3, 5), np.nan)), tmp_path / "a.mp4", fps=20.0)
    with pytest.raises(InputError, match=r"a.mp4: 0 of 0 frames could be written"):
        overlay.film([], overlay.Story(), tmp_path / "a.mp4", fps=20.0)
    assert list(tmp_path.iterdir()) == []


def test_videos_are_spread_over_the_scores():
    scores = pd.Series([5.0, 1.0, 4.0, 2.0, 3.0], index=[*"eadbc"])
    assert overlay.spread(scores, 3) == ["a", "c", "e"]
    assert overlay.spread(scores, 1) == ["a"]
    assert overlay.spread(scores, 9) == [*"abcde"]
    assert overlay.spread(scores.iloc[:0], 3) == []


def test_the_score_text(made):
    found = made(0.5)
    predicted = found.predicted_score[:, 0].mean()
    assert overlay.score_text(71.26, found, "v000", "forest.small") == f"forest.small: {predicted:.1f}   judges: 71.3"
    assert overlay.score_text(71.26, found, "other", "forest.small") == "judges: 71.3"
