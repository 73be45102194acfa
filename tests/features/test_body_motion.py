import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aqa_pipeline import keypoint_sets, plugins
from aqa_pipeline.errors import InputError
from aqa_pipeline.features import body_motion
from aqa_pipeline.features._skeletons import skeleton

FPS = 20.0
SETS = [
    ("coco_17", "body", 3),
    ("coco_wholebody_133", "summaries", 3),
    ("kimore_18", "body", 4),
    ("kinect_25", "body", 4),
    ("plug_in_gait_39", "body", 4),
    ("ui_prmd_22", "body", 4),
    ("mpii_16", "body", 3),
]


def dive(n_frames: int = 11, seed: int = 3) -> np.ndarray:
    """A person (T, 17, 3) in pixels, facing right, bending forward at the hips, arms moving."""
    upright = {
        "nose": (4, -62), "eye": (3, -64), "ear": (0, -63), "shoulder": (0, -50), "elbow": (4, -30), "wrist": (9, -12),
        "hip": (0, 0), "knee": (2, 40), "ankle": (0, 80),
    }  # fmt: skip
    names = keypoint_sets.get("coco_17").names
    points = np.array([upright[name.split("_")[-1]] for name in names], dtype=float)
    points[[i for i, name in enumerate(names) if name.startswith("left")]] += (1.5, 1.0)
    clip = np.repeat(points[None], n_frames, axis=0)
    legs = [i for i, name in enumerate(names) if name.split("_")[-1] in ("knee", "ankle")]
    for t in range(n_frames):
        a = -0.08 * t  # thighs swing to the right, which is the front
        clip[t, legs] = clip[t, legs] @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    clip += np.random.default_rng(seed).normal(0, 0.5, clip.shape) + np.array([300, 200])
    return np.concatenate([clip, np.ones((n_frames, 17, 1))], axis=2)


def extract(keypoints, keypoint_set="coco_17", **options):
    return body_motion.build(**options)(keypoints, keypoint_set=keypoint_set, fps=FPS, width=640, height=480)


def test_place_and_size_of_the_athlete_do_not_matter():
    clip = dive()
    moved = clip.copy()
    moved[..., :2] = 2.5 * clip[..., :2] + (120, -40)
    assert extract(moved) == pytest.approx(extract(clip), abs=1e-4)


def test_a_diver_seen_from_the_other_side_gives_the_same():
    clip = dive()
    mirrored = clip[:, keypoint_sets.get("coco_17").flipped, :]
    mirrored[..., 0] = 640 - mirrored[..., 0]
    assert extract(mirrored) == pytest.approx(extract(clip), abs=1e-4)
    assert np.abs(extract(mirrored, canonical_facing=False) - extract(clip, canonical_facing=False)).max() > 0.5


def test_a_skeleton_in_space_may_be_turned_about_the_vertical():
    rng = np.random.default_rng(0)
    clip = np.concatenate([rng.normal(size=(7, 18, 3)), np.ones((7, 18, 1))], axis=2)
    clip[:, [3, 7], 0] += [[4.0, -4.0]]  # shoulders apart, so that left is left
    a = 0.7
    turned = clip.copy()
    turned[..., :3] = clip[..., :3] @ np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    assert extract(turned, "kimore_18") == pytest.approx(extract(clip, "kimore_18"), abs=1e-4)


def test_a_right_angle_at_the_hips():
    clip = np.zeros((1, 17, 2))
    clip[:, [5, 6]] = (0, -2)  # shoulders above the hips
    clip[:, [13, 14]] = (3, 0)  # knees in front of them
    body = skeleton("coco_17", points="body")
    derived = body.derive(clip)
    directions = body_motion._directions(derived, body.lines)
    trunk, thighs = (directions[:, line] for line in body.front)
    assert body_motion._cosine_sine(trunk, thighs)[0] == pytest.approx([0, 1])  # y points down: clockwise is positive
    assert body_motion.body_scale(derived, body) == pytest.approx(2)


def test_steady_turning_is_constant_and_survives_half_turns():
    angles = np.arange(40) * 0.3
    trunk = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert body_motion._turning(trunk, FPS)[:, 0] == pytest.approx([0.3 * FPS / 10] * 40)


def test_gaps_do_not_reach_the_features():
    clip = dive()
    broken = clip.copy()
    broken[4] = np.nan
    broken[6, 9, 2] = 0.0
    assert np.isfinite(extract(broken)).all()
    assert np.abs(extract(broken) - extract(clip)).max() < 0.6
    assert (extract(np.full((5, 17, 3), np.nan)) == 0).all()


@pytest.mark.parametrize(("name", "points", "channels"), SETS)
@pytest.mark.parametrize("coordinates", ["derived", "all", "none"])
def test_every_keypoint_set_gives_one_row_a_frame(name, points, channels, coordinates):
    keypoints = np.random.default_rng(1).random((6, len(keypoint_sets.get(name)), channels)).astype(np.float32)
    short, long = (extract(keypoints[:t], name, points=points, coordinates=coordinates) for t in (1, 6))
    assert short.dtype == np.float32
    assert (len(short), len(long)) == (1, 6)
    assert short.shape[1] == long.shape[1]
    assert np.isfinite(long).all()


def test_whole_body_pairs_are_exchanged_in_the_mirror():
    clip = np.random.default_rng(2).random((5, 133, 3))
    clip[..., 2] = 1.0
    clip[:, [13, 14], 0] += 5  # knees well in front
    other = clip[:, keypoint_sets.get("coco_wholebody_133").flipped]
    other[..., 0] = -other[..., 0]
    one, two = (extract(c, "coco_wholebody_133", points="summaries", coordinates="all") for c in (clip, other))
    assert one == pytest.approx(two, abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    n_frames=st.integers(1, 9),
    seed=st.integers(0, 10**6),
    lost=st.floats(0, 1),
    size=st.sampled_from([1e-3, 1.0, 1e4]),
)
def test_whatever_the_estimator_says_the_features_are_finite(n_frames, seed, lost, size):
    rng = np.random.default_rng(seed)
    keypoints = size * rng.normal(size=(n_frames, 17, 3))
    keypoints[rng.random((n_frames, 17)) < lost] = np.nan
    features = extract(keypoints)
    assert features.shape[0] == n_frames
    assert np.isfinite(features).all()


def test_wrong_options_are_named():
    with pytest.raises(InputError, match=r"points: found 'summaries' for the keypoint set coco_17"):
        extract(dive(), points="summaries")
    with pytest.raises(InputError, match="coordinates: found 'some'"):
        body_motion.build(coordinates="some")
    assert "smoothing" in plugins.options("features", "body_motion", "build")
