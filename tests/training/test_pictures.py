"""Three tiny clips whose every pixel says which frame it is, and masks that say the same."""

import multiprocessing
import pickle

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from aqa_pipeline import frames, stores
from aqa_pipeline.batches import NO_LABEL
from aqa_pipeline.errors import InputError
from aqa_pipeline.training.data import Data, open_features
from aqa_pipeline.training.pictures import open_pictures, splash_masks

LENGTHS = dict(a=9, b=7, c=5)
H, W, FIRST = 24, 40, 100  # of the frames; number of the first
SMALL = dict(n_frames=4, resize=(20, 12), crop=12, swap_resize=False, shift=(-3, 0))  # resized 20 wide, 12 high


@pytest.fixture
def folder(tmp_path):
    """Frame, box and truth stores, features and folders of masks; frame i is grey 20 i, with a bright left half."""
    for shard, ids in (("0000", "ab"), ("0001", "c")):
        with (
            stores.write(tmp_path / "frames" / f"{shard}.h5", kind="frames", version=1, made_by={}) as clips,
            stores.write(tmp_path / "boxes" / f"{shard}.h5", kind="boxes", version=1, made_by={}) as boxes,
            stores.write(tmp_path / "truth" / f"{shard}.h5", kind="truth", version=1, made_by={}) as truth,
            stores.write(tmp_path / "still" / f"{shard}.h5", kind="features", version=1, made_by={}) as features,
        ):
            for v in ids:
                put(v, clips, boxes, truth)
                rows = np.arange(2 * 3, dtype=np.float32).reshape(2, 3)
                features.put(v, {"features": rows, "first_frame": np.array([0, LENGTHS[v] - 1])})
    return tmp_path


def put(v, clips, boxes, truth):
    n = LENGTHS[v]
    mask = np.zeros((n, H, W), bool)
    mask[:, :, : W // 2] = True
    grey = 20 * np.arange(n)[:, None, None] + 60 * mask
    jpegs = [frames.encode_jpeg(np.repeat(g[..., None], 3, axis=-1).astype(np.uint8), 100) for g in grey]
    arrays = dict(
        jpeg=np.concatenate(jpegs), offset=np.cumsum([0, *map(len, jpegs)]),
        frame_number=FIRST + np.arange(n), time=np.arange(n) / 25,
    )  # fmt: skip
    clips.put(v, arrays, width=W, height=H, fps=25.0)
    truth.put(v, {"mask": mask, "splash": ~mask})
    if v != "c":
        boxes.put(v, {"boxes": np.array([[W - 8, 8, W, 16, 1.0]] * n, np.float32)})


@pytest.fixture
def seen(folder):
    """Opens the pictures with options over `SMALL`."""
    import contextlib

    with contextlib.ExitStack() as stack:

        def opened(*, with_masks=False, folders={}, splashes={}, needs=("masks", "splashes"), memory_mb=10, **options):
            found = open_pictures(
                sorted(folder.glob("frames/*")), options={**SMALL, **options}, boxes=sorted(folder.glob("boxes/*")),
                masks=sorted(folder.glob("truth/*")) if with_masks else (), folders=folders,
                splashes=splashes, needs=needs, memory_mb=memory_mb,
            )  # fmt: skip
            return stack.enter_context(found)["frames"]

        yield opened


def shades(picture: np.ndarray) -> list[int]:
    """The dark half's shade of each frame (T, 3, H, W), as numbers of frames."""
    return [round(float(frame.min()) / 20) for frame in picture]


def test_after_the_end_of_a_clip_there_is_black_if_so_wished(seen):
    options = dict(n_frames=4, sampling="first", stride=3, masks=True, with_masks=True)  # 0 and 3 of five frames
    repeated, black = (seen(**options, beyond=beyond).read("c").pictures[:, 0, 0, -1] for beyond in ("repeat", "black"))
    assert [round(grey / 20) for grey in repeated.tolist()] == [0, 3, 4, 4]
    assert black.tolist() == [*repeated[:2].tolist(), 0, 0]
    assert seen(**options, beyond="black").mask("c").any(axis=(1, 2)).tolist() == [True, True, False, False]


def test_a_test_shows_evenly_spaced_frames_cut_from_the_middle(seen):
    shown = seen().read("a")
    assert shown.pictures.shape == (4, 3, 12, 12)
    assert shown.pictures.dtype == np.uint8
    assert shades(shown.pictures) == shown.positions.tolist() == [0, 2, 5, 8]
    assert shown.n_stored == 9
    left, right = shown.pictures[1, :, :, :5], shown.pictures[1, :, :, 7:]  # 4 to 15 of 20 columns
    assert left.mean() == pytest.approx(100, abs=2)
    assert right.mean() == pytest.approx(40, abs=2)
    assert shades(seen(n_frames=6).read("c").pictures) == [0, 0, 1, 2, 3, 4]


def test_training_draws_a_view_for_each_key(seen):
    small = seen(memory_mb=1)
    drawn = [small.read("b", (0, step)) for step in range(40)]
    assert {int(d.positions[-1]) for d in drawn} == {3, 4, 5, 6}
    assert all(shades(d.pictures) == d.positions.tolist() for d in drawn)
    bright_left = [d.pictures[0, 0, :, 0].mean() > d.pictures[0, 0, :, -1].mean() for d in drawn]
    assert 8 < sum(bright_left) < 32  # turned around or not
    again, other = small.read("b", (0, 7)), small.read("b", (1, 7))
    assert np.array_equal(again.pictures, drawn[7].pictures)
    assert not np.array_equal(other.pictures, drawn[7].pictures)


def test_frames_are_decoded_once_while_memory_lasts(seen, monkeypatch):
    decoded = []
    decode = frames.decode_jpeg
    monkeypatch.setattr(frames, "decode_jpeg", lambda jpeg: decoded.append(1) or decode(jpeg))
    kept, forgetful = seen(memory_mb=1), seen(memory_mb=0)
    first = [kept.read("a", (0, step)).pictures for step in range(30)]
    assert len(decoded) == 9  # the nine frames that any shift shows
    decoded.clear()
    assert all(np.array_equal(forgetful.read("a", (0, step)).pictures, first[step]) for step in range(30))
    assert len(decoded) == 30 * 4
    assert forgetful._kept == {}


def test_masks_are_moved_as_the_pictures(seen):
    simulated = seen(with_masks=True, masks=True)
    assert simulated.kinds_of_masks == ("athlete", "splash")
    for step in range(20):
        mask = simulated.mask("a", (0, step))
        shown = simulated.read("a", (0, step))
        assert mask.shape == (4, 12, 12)
        dark = 20 * shown.positions[:, None, None]
        assert (mask == (shown.pictures[:, 0] > dark + 30)).mean() > 0.99  # JPEG and the resize blur the edge
        assert 0 < mask.mean() < 1
        assert np.array_equal(simulated.mask("a", (0, step), of="splash"), ~mask)
    assert seen(with_masks=True).kinds_of_masks == ()  # not asked for
    assert seen(with_masks=True, masks=True, needs={"draws", "masks"}).kinds_of_masks == ("athlete",)
    assert seen(masks=True, splashes={"a": "a.pkl"}, needs={"masks"}).kinds_of_masks == ()
    assert seen(masks=True).kinds_of_masks == ()  # not there: predictions


def test_tubes_are_moved_as_the_pictures(seen, folder):
    """The box of the left half is what the mask of the left half holds."""
    left = np.array([[0, 0], [0, H], [W / 2, 0], [W / 2, H]])  # in an order of its own
    with h5py.File(folder / "boxes" / "0000.h5", "a") as file:
        file["videos/a/corners"] = np.stack([left] * LENGTHS["a"])
    both = seen(with_masks=True, masks=True, needs={"masks", "tubes"})
    assert both.shows_tubes
    assert not seen().shows_tubes
    for step in range(20):
        mask, tube = both.mask("a", (0, step)), both.tube("a", (0, step))
        assert tube.shape == (4, 4, 2)
        columns = np.flatnonzero(mask[0].any(axis=0))
        inside = tube[0, :, 0].clip(0, 12)
        assert (inside.min(), inside.max()) == (columns.min(), columns.max() + 1)
    assert both.tube("b")[2].tolist() == [[12, 4], [16, 4], [16, 8], [12, 8]]  # right, less 4 columns, halved
    assert "c" not in both  # has no boxes


def test_tubes_of_a_view_that_follows_the_athlete(seen):
    close = seen(view="athlete", resize=None, crop=10, needs={"tubes"})
    assert close.tube("a")[1].tolist() == [[1, 1], [9, 1], [9, 9], [1, 9]]


def test_masks_of_pictures_bear_the_numbers_of_the_frames(seen, tmp_path):
    folders = {"a": tmp_path / "masks" / "a", "b": tmp_path / "masks" / "b", "c": tmp_path / "nothing"}
    for v in "ab":
        folders[v].mkdir(parents=True)
        for i in range(LENGTHS[v] - (v == "b")):  # b lacks its last
            grey = np.zeros((2 * H, 2 * W, 3), np.uint8)  # larger than the stored frames
            grey[: 4 * (i + 1)] = 255
            (folders[v] / f"{FIRST + i:05d}.jpg").write_bytes(frames.encode_jpeg(grey, 100).tobytes())
    own = seen(masks=True, folders=folders)
    assert own.mask("a").sum(axis=(1, 2)).tolist() == [12 * n for n in (1, 3, 6, 9)]  # a quarter of the rows
    follows = seen(masks=True, folders=folders, view="athlete", resize=None, crop=10)
    assert follows.mask("a").sum(axis=(1, 2)).tolist() == [0, 0, 45, 90]  # rows 7 to 16, columns 31 to 39
    assert own.mask("b") is None
    assert own.mask("c") is None


def test_masks_of_splashes_are_files_of_their_own(seen, tmp_path):
    square = np.zeros((6, 6), bool)
    square[4:, :3] = True  # the lower third of the left half, of frames that are wider than high
    splashes = {v: tmp_path / f"{v}.pkl" for v in "abc"}
    for v, masks in dict(a=[None] * 4 + [square.tolist()] + [square] * 4, b=[None] * 7).items():
        splashes[v].write_bytes(pickle.dumps({"splash": 3, "splash_pred_masks": masks}))
    own = seen(masks=True, splashes=splashes, resize=None, crop=24)
    assert own.kinds_of_masks == ("splash",)
    shown = own.mask("a", of="splash")  # frames 0 2 5 8; columns 8 to 31 of 40
    assert not shown[:2].any()
    assert shown[2:, 17:, :11].all()
    assert not shown[2:, :15].any()
    assert not shown[2:, :, 13:].any()
    assert own.mask("b", of="splash") is None  # no mask in any frame
    assert own.mask("c", of="splash") is None  # no file
    splashes["c"].write_bytes(pickle.dumps({"splash_pred_masks": [square] * 4}))
    assert seen(masks=True, splashes=splashes).mask("c", of="splash") is None  # four masks of five frames


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"splash": 1}, "no list 'splash_pred_masks'"),
        ([np.ones((2, 2))], "no list 'splash_pred_masks'"),
        ({"splash_pred_masks": [np.ones((2, 2)), np.ones((2, 3))]}, r"masks of shapes \[\(2, 2\), \(2, 3\)\]"),
        ({"splash_pred_masks": [None, np.ones(4)]}, r"masks of shapes \[\(4,\)\]"),
        ({"splash_pred_masks": ["mask"]}, "masks are no even array of numbers"),
    ],
)
def test_a_file_of_splashes_that_holds_something_else_is_named(tmp_path, entry, message):
    (tmp_path / "7.pkl").write_bytes(pickle.dumps(entry))
    with pytest.raises(InputError, match=f"7.pkl: {message}"):
        splash_masks(tmp_path / "7.pkl")


def test_the_athlete_fills_small_pictures(seen):
    athlete = seen(view="athlete", detector="one", resize=(12, 12), with_masks=True, masks=True)
    assert "c" not in athlete  # without boxes
    shown = athlete.read("a").pictures  # 10 pixels around the middle of a box 8 wide at the right edge
    assert shown.shape == (4, 3, 12, 12)
    assert shown[3, 0, :, :8].mean() == pytest.approx(160, abs=4)
    assert shown[3, 0, :, -1].sum() == 0  # beyond the picture
    assert athlete.mask("a").sum() == 0  # the mask is far to the left
    assert "c" in seen()


def read_in_a_process(small, queue):
    queue.put([small.read(v, (3, 1)).pictures for v in "abc" * 20])


def test_forked_processes_read_for_themselves(seen):
    small = seen(memory_mb=0)
    context = multiprocessing.get_context("fork")
    queues = [context.SimpleQueue() for _ in range(2)]
    workers = [context.Process(target=read_in_a_process, args=(small, queue)) for queue in queues]
    expected = [small.read(v, (3, 1)).pictures for v in "abc"] * 20
    for worker in workers:
        worker.start()
    for queue, worker in zip(queues, workers, strict=True):
        assert all((a == b).all() for a, b in zip(queue.get(), expected, strict=True))
        worker.join()


@pytest.fixture
def samples() -> pd.DataFrame:
    steps = [[("up", 0), ("air", 2), ("in", n - 2)] for n in LENGTHS.values()]
    named = [[dict(sub_action=s, first_frame=f) for s, f in each] for each in steps]
    return pd.DataFrame(
        dict(
            video_id=list(LENGTHS), action_type="x", difficulty=2.0, score=[20.0, 60.0, 90.0], judge_scores=None,
            steps=named, first_frame=FIRST, last_frame=[FIRST + n - 1 for n in LENGTHS.values()],
        )
    )  # fmt: skip


def data(samples, inputs, **options) -> Data:
    made = Data(samples, inputs, dict(zip(samples["video_id"], samples["score"], strict=True)), **options)
    made.fit(["a", "b"])
    return made


def test_pictures_come_beside_features_by_role(samples, seen, folder):
    with open_features(sorted(folder.glob("still/*")), roles={"skeleton": "still"}) as stored:
        made = data(samples, {**stored, "frames": seen()}, n_frames=2)
        clips = made.clips(["c", "a"])
    assert made.facts.dims == {"skeleton": 3}
    assert made.facts.pictures == (4, 12, 12)
    assert clips.inputs["skeleton"].shape == (2, 2, 3)
    assert clips.inputs["frames"].shape == (2, 4, 3, 12, 12)
    assert clips.sub_action.tolist() == [[2, 2, 0, 1], [2, 0, 0, 1]]  # air, in, up; frames 0 1 2 4 and 0 2 5 8
    assert clips.masks == {}


def test_tubes_come_beside_the_pictures_in_tests_too(samples, seen):
    samples = samples[samples["video_id"] != "c"]
    made = data(samples, {"frames": seen(needs={"tubes"}, flip=1.0)})
    still, drawn = made.clips(["a", "b"]), made.clips(["a", "b"], draw=(0, 0))
    assert still.inputs["tubes"].shape == (2, 4, 4, 2)
    assert still.inputs["tubes"][1, 3].tolist() == [[12, 4], [16, 4], [16, 8], [12, 8]]
    assert (drawn.inputs["tubes"][..., 0] <= 4).all()  # turned round, the right is on the left
    assert drawn.rows(torch.tensor([1])).inputs["tubes"].shape == (1, 4, 4, 2)


def test_query_and_exemplar_get_views_of_their_own(samples, seen):
    made = data(samples, {"frames": seen(flip=0.0)})
    pairs = made.pairs(["a", "b"], ["a", "b"], draw=(5, 0))
    assert not torch.equal(pairs.query.inputs["frames"], pairs.exemplar.inputs["frames"])
    again = made.pairs(["a", "b"], ["a", "b"], draw=(5, 0))
    assert torch.equal(pairs.query.inputs["frames"], again.query.inputs["frames"])
    still = made.pairs(["a"], ["a"])
    assert torch.equal(still.query.inputs["frames"], still.exemplar.inputs["frames"])


def test_labels_and_transitions_are_those_of_the_frames_shown(samples, seen):
    made = data(samples, {"frames": seen(n_frames=96, shift=(-3, -3))}, show_transitions=True)
    still, moved = made.clips(["a"]), made.clips(["a"], draw=(0, 0))
    assert still.transitions.tolist() == [[24, 84]]  # frames 0 to 8: 2 is reached at 95 / 4, 7 at 95 * 7 / 8
    assert moved.transitions.tolist() == [[24, 84]]  # frames 0 to 5 show no entry: what is known of the whole
    longer = data(samples.assign(steps=[named_until(5)] * 3), {"frames": made.pictures}, show_transitions=True)
    assert longer.clips(["a"], draw=(0, 0)).transitions.tolist() == [[38, 95]]  # 2 at 95 * 2 / 5, 5 at the end
    labels = longer.clips(["a"], draw=(0, 0)).sub_action[0]
    assert labels[[37, 38, 94, 95]].tolist() == [2, 0, 0, 1]
    assert (labels != NO_LABEL).all()


def named_until(entry):
    return [dict(sub_action=s, first_frame=f) for s, f in (("up", 0), ("air", 2), ("in", entry))]


def test_masks_are_labels_of_training_batches_alone(samples, seen, folder):
    made = data(samples, {"frames": seen(with_masks=True, masks=True)})
    shown = made.clips(["a", "c"], draw=(0, 0))
    assert shown.masks["athlete"].shape == (2, 4, 12, 12)
    assert torch.equal(shown.masks["splash"], ~shown.masks["athlete"])
    assert shown.masks["athlete_known"].tolist() == shown.masks["splash_known"].tolist() == [True, True]
    assert made.clips(["a"]).masks == {}
    partly = data(samples, {"frames": seen(masks=True, folders={"a": folder / "nothing"})})
    unknown = partly.pairs(["a"], ["c"], draw=(0, 0)).exemplar.masks
    assert set(unknown) == {"athlete", "athlete_known"}
    assert unknown["athlete_known"].tolist() == [False]
    assert not unknown["athlete"].any()


def test_a_control_shows_the_pictures_of_another(samples, seen):
    made = data(samples, {"frames": seen()})
    made.features_of = {"a": "b"}
    one, other = made.clips(["a"]), made.clips(["b"])
    assert torch.equal(one.inputs["frames"], other.inputs["frames"])
    assert torch.equal(one.sub_action, other.sub_action)
    assert one.target != other.target


def test_mistakes_are_named(seen, folder):
    with pytest.raises(InputError, match="no pictures of video 'd'"):
        seen().read("d")
    with (
        pytest.raises(InputError, match=r"features\.static: no store of 'stil', did you mean 'still'"),
        open_features(sorted(folder.glob("still/*")), roles={"static": "stil"}),
    ):
        pass
    with open_pictures([], options={}) as nothing:
        assert nothing == {}
