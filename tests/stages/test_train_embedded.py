"""The training stages: from simulated dives to weights that the detector and the estimator accept."""

import numpy as np
import pytest

from aqa_pipeline import frames, stores
from aqa_pipeline.backbones import centre_net, heatmap_net
from aqa_pipeline.detection import embedded as detection
from aqa_pipeline.errors import InputError
from aqa_pipeline.pose import embedded as pose
from aqa_pipeline.simdive import clips
from aqa_pipeline.stages.train_detector import train_detector
from aqa_pipeline.stages.train_estimator import train_estimator


@pytest.fixture(scope="module")
def dives(tmp_path_factory):
    """Two small rendered dives in two shards, as the stages before leave them."""
    folder = tmp_path_factory.mktemp("dives")
    shards = [0, 1]
    for shard in shards:
        videos, truth = folder / f"videos{shard}", folder / "truth" / f"{shard:04d}.h5"
        size = dict(width=96, height=64, fps=5.0, n_dives=4)
        table = clips.simulate_shard(videos, truth, seed=5, shard=shard, n_shards=len(shards), **size)
        with stores.write(folder / "frames" / truth.name, kind="frames", version=1, made_by={}) as store:
            for row in table.itertuples():
                arrays, facts = frames.extract(videos / row.path)
                store.put(row.video_id, arrays, **facts)
    return sorted((folder / "frames").glob("*.h5")), folder / "truth"


def one_clip(frame_store):
    with stores.read(frame_store, kind="frames") as clips_:
        return list(frames.StoredFrames(clips_, next(iter(clips_))))


def test_detector_from_stores(dives, tmp_path):
    frame_stores, truth = dives
    out = tmp_path / "detector.safetensors"
    options = dict(network=centre_net.tiny, height=48, width=80, batch=4, bfloat16=False)
    train_detector(out, frame_stores, truth=truth, frames_a_video=6, steps=5, options=options)
    found = list(detection.build(weights=str(out), least=0.0, limit=3)(one_clip(frame_stores[0])))
    assert all(boxes.shape == (3, 5) for boxes in found)
    assert out.with_suffix(".csv").read_text().startswith("step,centre,box\n")


def test_estimator_from_stores_is_the_same_twice(dives, tmp_path):
    frame_stores, truth = dives
    network = {name: value for name, value in heatmap_net.tiny.items() if name != "n_keypoints"}
    options = dict(network=network, size=64, batch=4, bfloat16=False)
    outs = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
    for out in outs:
        train_estimator(out, frame_stores, truth=truth, frames_a_video=6, steps=5, seed=3, options=options)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    clip = one_clip(frame_stores[0])
    boxes = np.array([[20, 10, 90, 60, 1.0]] * len(clip))
    keypoints = pose.build(weights=str(outs[0]))(clip, boxes)
    assert keypoints.shape == (len(clip), 17, 3)
    assert np.isfinite(keypoints).all()


def test_truth_that_is_not_there_is_named(dives, tmp_path):
    with pytest.raises(InputError, match="no such store"):
        train_detector(tmp_path / "x.safetensors", dives[0], truth=tmp_path, steps=1)
    assert not list(tmp_path.iterdir())
