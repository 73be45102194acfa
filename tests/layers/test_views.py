import numpy as np
import pytest
from PIL import Image

from aqa_pipeline.errors import InputError
from aqa_pipeline.layers.views import LANCZOS, NEAREST, Placement, View, followed

CORE = View(n_frames=103, sampling="last", resize=(455, 256), crop=224)


@pytest.fixture
def frame() -> np.ndarray:
    """A picture of a broadcast, 455 x 256, with noise and an edge."""
    picture = np.random.default_rng(0).integers(0, 120, (256, 455, 3), dtype=np.uint8)
    picture[:, 200:] += 100
    return picture


def test_the_pair_is_swapped_as_in_the_released_pipelines(frame):
    resized = View().resized([frame, frame[::-1]])
    assert resized.shape == (2, 200, 112, 3)  # 112 wide
    assert largest_difference(resized[0], by_pillow(frame, Image.Resampling.BILINEAR)) <= 1
    assert largest_difference(resized[1], by_pillow(frame[::-1], Image.Resampling.BILINEAR)) <= 1
    assert View(swap_resize=False).resized([frame]).shape == (1, 112, 200, 3)
    assert CORE.resized([frame]).shape == (1, 455, 256, 3)
    mask = View().resized([frame[..., 1]])[0]
    assert largest_difference(mask, by_pillow(frame[..., 1], Image.Resampling.BILINEAR)) <= 1


def test_other_filters_are_pillow_s_own(frame):
    nearest, lanczos = View().resized([frame, frame], filters=[NEAREST, LANCZOS])
    assert (nearest == by_pillow(frame, Image.Resampling.NEAREST)).all()
    assert (lanczos == by_pillow(frame, Image.Resampling.LANCZOS)).all()


def by_pillow(picture, resample) -> np.ndarray:
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize((112, 200), resample))


def largest_difference(one, other) -> int:
    return np.abs(one.astype(int) - other.astype(int)).max()


def test_a_test_shows_the_middle():
    rows = np.arange(200)[:, None] * np.ones((1, 112))
    cut = View().cut(rows[None])
    assert cut.shape == (1, 112, 112)
    assert cut[0, [0, -1], 0].tolist() == [44, 155]
    across, down = np.arange(256) + np.zeros((455, 1)), np.arange(455)[:, None] + np.zeros(256)
    assert CORE.cut(across[None])[0, 0, [0, -1]].tolist() == [16, 239]
    assert CORE.cut(down[None])[0, [0, -1], 0].tolist() == [116, 339]  # 115.5, rounded to the even


def test_training_shows_any_part_and_either_way_round():
    across, down = np.arange(256) + np.zeros((455, 1)), np.arange(455)[:, None] + np.zeros(256)
    drawn = [CORE.placed("a", (0, step)) for step in range(400)]
    lefts = {int(CORE.cut(across[None], p).min()) for p in drawn}
    tops = {int(CORE.cut(down[None], p).min()) for p in drawn}
    assert (min(lefts), max(lefts), len(lefts)) == (0, 32, 33)
    assert min(tops) < 5
    assert 226 < max(tops) <= 231
    assert 150 < sum(p.flipped for p in drawn) < 250
    flipped = Placement(flipped=True, corner=(0.0, 0.0))
    assert CORE.cut(across[None], flipped)[0, 0, [0, -1]].tolist() == [255, 32]


def test_the_middle_can_be_shown_in_training_too():
    view = View(centred=True, crop=96)
    assert {view.placed("a", (0, step)).corner for step in range(9)} == {None}
    assert {view.placed("a", (0, step)).flipped for step in range(9)} == {False, True}


def test_the_frames_of_mscadc_are_those_of_its_released_loader():
    shown = View(n_frames=16, sampling="first", stride=6.5, shift=(-3, 3)).positions(103)
    assert shown.tolist() == [int(i) for i in np.arange(0, 103, 6.5)]


@pytest.mark.parametrize("swap", [False, True])
def test_points_are_brought_where_their_pixels_are(swap):
    view = View(n_frames=2, resize=(90, 60), swap_resize=swap, crop=40)
    frames, corners = np.zeros((2, 120, 270, 3), np.uint8), [(99, 48), (120, 72)]  # of a white patch, x and y
    frames[1, 48:72, 99:120] = 255
    points = np.array([corners, corners], float)
    for step in range(8):
        placement = view.placed("a", (0, step))
        shown = view.cut(view.resized(frames), placement)[1, :, :, 0] > 127
        brought = view.moved(points, (270, 120), placement)[1]
        (left, top), (right, bottom) = brought.min(axis=0).round().astype(int), brought.max(axis=0).round().astype(int)
        expected = np.zeros_like(shown)
        expected[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
        assert (shown == expected).mean() > 0.98  # an edge may lie between two pixels
    middle = view.moved(points, (270, 120))[0]
    width, height = (60, 90) if swap else (90, 60)
    assert middle[0] == pytest.approx([99 * width / 270 - (width - 40) / 2, 48 * height / 120 - (height - 40) / 2])


def test_points_in_regions_and_pictures_that_are_not_resized():
    regions = np.array([[10, 20, 90, 100], [30, 20, 110, 100]])
    points = np.array([[[50.0, 60]], [[50.0, 60]]])
    assert View(resize=(40, 40), crop=40).moved(points, (300, 200), regions=regions).tolist() == [
        [[20, 20]],
        [[10, 20]],
    ]
    assert View(resize=None, crop=100).moved(points, (300, 200)).tolist() == [[[-50, 10]], [[-50, 10]]]
    with pytest.raises(InputError, match=r"frames\.crop: found 100, expected 80 at most"):
        View(resize=None, crop=100).moved(points, (80, 200))


def test_a_placement_comes_from_name_and_key_alone():
    view = View(shift=(-3, 0))
    assert view.placed("a", (1, 2)) == view.placed("a", (1, 2))
    assert view.placed("a", (1, 2)) != view.placed("a", (1, 3))
    assert view.placed("a", (1, 2)) != view.placed("b", (1, 2))
    assert view.placed("a") == Placement()
    assert {view.placed("a", (0, step)).shift for step in range(60)} == {-3, -2, -1, 0}
    musdl = View(interpolation="random")
    assert set(musdl.placed("a").filters) == {0, 1, 2, 3}
    assert len(musdl.placed("a").filters) == 96
    assert musdl.placed("a") == musdl.placed("a")


@pytest.mark.parametrize(
    ("options", "n", "shift", "expected"),
    [
        (dict(n_frames=4), 10, 0, [0, 3, 6, 9]),
        (dict(n_frames=4), 10, -2, [0, 2, 4, 7]),  # 0, 7 / 3, 14 / 3, 7 truncated
        (dict(n_frames=5), 3, 0, [0, 0, 1, 1, 2]),
        (dict(n_frames=3, sampling="last"), 10, 0, [7, 8, 9]),
        (dict(n_frames=3, sampling="last"), 10, 2, [9, 9, 9]),
        (dict(n_frames=3, sampling="last"), 2, 0, [0, 0, 1]),
        (dict(n_frames=3, sampling="first"), 10, 4, [4, 5, 6]),
        (dict(n_frames=3, sampling="first"), 2, 0, [0, 1, 1]),
        (dict(n_frames=4, sampling="first", stride=2.5), 20, 1, [1, 3, 6, 8]),  # 0, 2.5, 5, 7.5 truncated
        (dict(n_frames=4, sampling="last", stride=2.5), 20, 0, [12, 14, 17, 19]),
        (dict(n_frames=2), 1, -3, [0, 0]),
    ],
)
def test_which_frames_are_shown(options, n, shift, expected):
    assert View(**options).positions(n, Placement(shift=shift)).tolist() == expected


@pytest.mark.parametrize(
    ("n", "first"),
    [(151, 128), (144, 128), (100, 80), (31, 0), (11, 0)],  # UNLV's padded dives and vaults: parts of 16 from frame 0
)
def test_the_last_whole_part_of_a_clip(n, first):
    view = View(n_frames=16, sampling="last_part")
    expected = [min(frame, n - 1) for frame in range(first, first + 16)]
    assert view.positions(n).tolist() == expected
    assert view.positions(n, Placement(shift=2)).tolist() == [
        min(frame, n - 1) for frame in range(first + 2, first + 18)
    ]
    assert View(n_frames=144, sampling="last_part").positions(n)[0] == 0


def test_black_frames_after_the_end():
    view = View(n_frames=6, sampling="first", stride=5, beyond="black")
    assert view.positions(21).tolist() == [0, 5, 10, 15, 20, 20]
    assert view.blacked(21).tolist() == [False] * 5 + [True]
    assert view.blacked(21, Placement(shift=6)).tolist() == [False] * 3 + [True] * 3
    assert not View(n_frames=6, sampling="first", stride=5).blacked(21).any()
    assert not View(n_frames=30, sampling="last", beyond="black").blacked(21).any()  # before its beginning
    assert View(n_frames=3, sampling="last_part", stride=2).positions(21).tolist() == [12, 14, 16]


def test_pictures_that_are_not_resized_and_regions_beyond_the_picture(frame):
    as_it_is = View(resize=None, crop=256)
    assert (as_it_is.resized([frame]) == frame[None]).all()
    beyond = as_it_is.resized([frame], regions=np.array([[-10, 250, 20, 280]]))[0]
    assert beyond.shape == (30, 30, 3)
    assert (beyond[:6, 10:] == frame[250:, :20]).all()
    assert beyond[6:].sum() == beyond[:, :10].sum() == 0
    with pytest.raises(InputError, match=r"frames\.crop: found 256, expected 90 at most, as the pictures"):
        as_it_is.cut(frame[None, :90])


def test_the_athlete_is_followed_steadily_and_without_a_gap():
    boxes = np.full((30, 5), np.nan)
    middle = 40 + 2.0 * np.arange(30)
    boxes[:, :4] = np.stack([middle - 5, np.full(30, 20), middle + 5, np.full(30, 60)], axis=1)
    boxes[12:15] = np.nan
    squares = followed(boxes)
    assert (squares[:, 2] - squares[:, 0] == 50).all()  # 1.25 times 40
    assert (squares[:, 3] - squares[:, 1] == 50).all()
    assert squares[8:20, :3:2].mean(axis=1) == pytest.approx(middle[8:20], abs=1)
    with pytest.raises(InputError, match="no athlete in any frame"):
        followed(boxes[12:15])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(sampling="lst"), "frames.sampling: found 'lst', did you mean 'last'"),
        (dict(interpolation="cubic"), "frames.interpolation: found 'cubic'"),
        (dict(shift=(2, -2)), r"frames.shift: found \[2, -2\], expected the smaller first"),
        (dict(resize=(100, 300)), "frames.crop: found 112, expected 100 at most, as frames.resize"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(InputError, match=message):
        View(**options)
