import pandas as pd
import pytest

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.stages.simulate import VERSION, simulate

SMALL = dict(n_dives=1, width=96, height=64, fps=8.0)


def test_a_shard_from_the_stage(tmp_path):
    simulate(tmp_path / "videos", tmp_path / "truth.h5", options={"seed": 2, **SMALL})
    assert pd.read_parquet(tmp_path / "videos" / "annotations.parquet").video_id.tolist() == ["dive_00000"]
    with stores.read(tmp_path / "truth.h5", kind="truth") as store:
        assert store.made_by["stage"] == "simulate"
        assert store.made_by["seed"] == 2
        assert store.made_by["version"] == VERSION


def test_a_misspelt_option_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(InputError, match="unknown 'n_dive', did you mean 'n_dives'"):
        simulate(tmp_path / "videos", tmp_path / "truth.h5", options={"n_dive": 1})
    assert not list(tmp_path.iterdir())
