import numpy as np
import pandas as pd

from aqa_pipeline import stores
from aqa_pipeline.stages.import_keypoints import import_keypoints


def test_keypoint_files_of_a_custom_data_set(tmp_path):
    points = np.random.default_rng(0).uniform(0, 99, (6, 17, 3)).astype(np.float32)
    np.savez(tmp_path / "a.npz", keypoints=points)
    (tmp_path / "b.json").write_text("{")
    table = pd.DataFrame({"video_id": ["a", "b"], "fps": 25.0})
    table["path"] = [str(tmp_path / "a.npz"), str(tmp_path / "b.json")]
    table.to_parquet(tmp_path / "samples.parquet")
    import_keypoints(tmp_path / "samples.parquet", tmp_path / "out.h5", adapter="custom", options={"csv": "x.csv"})
    with stores.read(tmp_path / "out.h5", kind="keypoints") as store:
        assert list(store) == ["a"]
        np.testing.assert_array_equal(store.array("a", "keypoints"), points)
        assert store.facts("a") == {"fps": 25.0, "keypoint_set": "coco_17"}
        stage, reason = store.failures["b"]
        assert stage == "import_keypoints"
        assert "cannot be read as JSON" in reason


def test_keypoints_that_a_data_set_brings(tmp_path):
    skeletons = np.random.default_rng(1).normal(size=(3, 7, 18, 3)).astype(np.float32)
    np.savez(
        tmp_path / "kimore_ex1.npz",
        skeletons=skeletons,
        subject=np.array([40, 41, 42]),
        fold=np.array([0, 1, 2]),
        score=np.array([1.0, 2.0, 3.0]),
    )
    pd.DataFrame({"video_id": ["patient_41", "patient_77"]}).to_parquet(tmp_path / "samples.parquet")
    options = {"root": str(tmp_path), "exercise": 1}
    import_keypoints(tmp_path / "samples.parquet", tmp_path / "out.h5", adapter="kimore_resampled", options=options)
    with stores.read(tmp_path / "out.h5", kind="keypoints") as store:
        assert list(store) == ["patient_41"]
        assert store.array("patient_41", "keypoints").shape == (7, 18, 4)
        assert store.facts("patient_41")["keypoint_set"] == "kimore_18"
        assert store.failures == {
            "patient_77": ("import_keypoints", "kimore_resampled: brings no keypoints of 'patient_77'")
        }
