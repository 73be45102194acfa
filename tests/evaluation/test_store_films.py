import numpy as np
import pytest

from aqa_pipeline import frames, keypoint_sets, stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import overlay
from aqa_pipeline.evaluation.store_films import films

FACTS = dict(fps=20.0, width=64, height=48)
N = 5


def near(picture, colour, off=40):
    return np.abs(picture.astype(int) - colour).max(axis=2) < off


@pytest.fixture
def made(tmp_path):
    """Frames, boxes and keypoints of two grey videos; the second is a pair."""
    picture = frames.encode_jpeg(np.full((48, 64, 3), 128, np.uint8))
    boxes = np.tile(np.array([10, 10, 24, 40, 0.9], np.float32), (N, 1))
    points = np.full((N, 17, 3), np.nan, np.float32)
    points[:, keypoint_sets.get("coco_17").index("left_hip")] = [40, 20, 0.9]
    points[:, keypoint_sets.get("coco_17").index("left_knee")] = [40, 36, 0.9]
    for kind in ("frames", "boxes", "keypoints"):
        with stores.write(tmp_path / kind / "0000.h5", kind=kind, version=1, made_by={}) as store:
            for video_id in ("a", "b/1"):
                facts, shift = dict(FACTS), np.array([30, 0, 30, 0, 0], np.float32)
                if kind == "frames":
                    arrays = {"jpeg": np.tile(picture, N), "offset": np.arange(N + 1) * len(picture)}
                elif kind == "boxes":
                    arrays = {"boxes": boxes, **({"partner_boxes": boxes + shift} if video_id == "b/1" else {})}
                else:
                    arrays, facts = {"keypoints": points}, {**FACTS, "keypoint_set": "coco_17"}
                store.put(video_id, arrays, **facts)
    return tmp_path


def test_everything_on_the_frames(made):
    kinds = [made / kind for kind in ("keypoints", "frames", "boxes")]
    assert films(kinds, made / "films", height=96) == [made / "films/a.mp4", made / "films/b_1.mp4"]
    pages = {name: [rgb for _, _, rgb in frames.decode(made / "films" / name)] for name in ("a.mp4", "b_1.mp4")}
    assert [len(film) for film in pages.values()] == [N, N]
    assert pages["a.mp4"][0].shape == (96 + 64, 128, 3)
    for name, partner in (("a.mp4", False), ("b_1.mp4", True)):
        page = pages[name][2]
        assert near(page[30:60, 18:23], overlay.BOX).any()
        assert near(page[45:65, 76:85], overlay.LEFT).any()
        assert near(page[30:60, 104:110], overlay.BOX).any() == partner


@pytest.mark.parametrize("kind", ["boxes", "keypoints"])
def test_one_kind_alone_is_drawn_on_black(made, kind):
    assert films([made / kind / "0000.h5"], made / "one.mp4", videos=["a"], height=96) == [made / "one.mp4"]
    page = next(frames.decode(made / "one.mp4"))[2]
    assert page.shape == (96 + 64, 128, 3)
    assert page[60:90, 100:].max() < 30
    assert near(page[:96], overlay.BOX if kind == "boxes" else overlay.LEFT).any()


def test_mistakes_are_named(made):
    with pytest.raises(InputError, match=r"a.mp4: one film for 2 videos, expected a folder, or one --video"):
        films([made / "boxes"], made / "a.mp4")
    with pytest.raises(InputError, match=r"--video: no 'c', known: a, b/1"):
        films([made / "boxes"], made / "out", videos=["c"])
    (made / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: holds no .h5 file"):
        films([made / "empty"], made / "out")
    with stores.write(made / "f.h5", kind="features", version=1, made_by={}):
        pass
    with pytest.raises(InputError, match=r"f.h5: holds features, expected frames, boxes, keypoints"):
        films([made / "f.h5"], made / "out")
    assert not (made / "out").exists()


def test_the_feedback_of_a_run_is_drawn(made):
    hip = keypoint_sets.get("coco_17").index("left_hip")
    slopes = np.zeros((1, 2, 34))
    slopes[0, 0, 2 * hip] = 1  # to the right, the hip adds
    weights = dict(slopes=slopes, intercept=np.zeros(1), transform=np.array([0]))
    for name, extractor in (("positions", "positions"), ("motion", "body_motion")):
        facts = dict(extractor=extractor, options={})
        with stores.write(made / name / "0000.h5", kind="features", version=1, made_by=facts) as store:
            store.put("a", {"features": np.ones((N, 34), np.float32)}, **FACTS)
    given = [made / kind for kind in ("frames", "keypoints", "positions")]
    [film] = films(given, made / "a.mp4", videos=["a"], height=480, advice=weights)
    page = [rgb for _, _, rgb in frames.decode(film)][2]
    assert near(page[190:210, 410:440], overlay.ARROW, 60).any()  # from 400, 200; an eighth of the height long
    assert not near(page[190:210, 340:385], overlay.ARROW, 60).any()
    with pytest.raises(InputError, match="--feedback: found no features among the stores"):
        films(given[:2], made / "a.mp4", videos=["a"], advice=weights)
    with pytest.raises(InputError, match="features of 'body_motion', expected 'positions'"):
        films([*given[:2], made / "motion"], made / "b.mp4", videos=["a"], advice=weights)
