"""The adapter on made-up vaults, in their own release and as an action of AQA-7."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from aqa_pipeline import frames
from aqa_pipeline.datasets import COLUMNS, aqa_7, unlv_vault
from aqa_pipeline.errors import InputError

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_samples_of_the_release(release):
    table = unlv_vault.samples(root=release("unlv_vault"))
    assert list(table.columns) == [*COLUMNS, "part", "identity"]
    assert list(table["video_id"]) == [f"vault_{n:03d}" for n in range(1, 10)]
    assert list(table["video_id"][table["part"] == "test"]) == ["vault_003", "vault_005", "vault_008"]
    execution = unlv_vault.execution(table["score"].to_numpy(), table["difficulty"].to_numpy())
    assert ((execution >= 7) & (execution <= 9.5)).all()


def test_without_difficulties_the_score_is_the_execution(release):
    root = release("unlv_vault", difficulty=False)
    table = unlv_vault.samples(root=root)
    assert len(unlv_vault.annotation_files(root=root)) == 3
    np.testing.assert_array_equal(unlv_vault.execution(table["score"], table["difficulty"]), table["score"])


def test_clips_have_a_hundred_frames(release):
    row = unlv_vault.samples(root=release("unlv_vault", media=True)).iloc[6]
    assert row["path"].endswith("gym_vault_samples_len_100_lstm/007.avi")
    assert len(frames.extract(row["path"], first=row["first_frame"], last=row["last_frame"])[0]["time"]) == 100


def test_as_an_action_of_aqa_7(release):
    root = release("aqa_7", media="frames", action="gym_vault")
    here, there = unlv_vault.samples(aqa_7_root=root), aqa_7.samples(root=root, action="gym_vault")
    assert list(here["video_id"]) == [f"vault_{n:03d}" for n in (2, 3, 4, 5, 176)]
    for column in ("score", "part", "identity", "path", "first_frame", "last_frame"):
        assert list(here[column]) == list(there[column])
    assert unlv_vault.media(aqa_7_root=root) == aqa_7.media(root=root, action="gym_vault")


def test_mistakes_are_named(release, tmp_path):
    with pytest.raises(InputError, match="expected either root or aqa_7_root"):
        unlv_vault.samples()
    with pytest.raises(InputError, match=r"gym_vault_overall_scores.mat: no such file"):
        unlv_vault.samples(root=tmp_path)
    root = release("unlv_vault")
    savemat(root / "gym_vault_overall_scores.mat", {"overall_scores": np.ones((1, 177))})
    with pytest.raises(InputError, match=r"gym_vault_overall_scores.mat: 177 scores, expected 1 to 176"):
        unlv_vault.samples(root=root)


@quick
@given(data=st.data())
def test_whatever_the_bytes(release, tmp_path, data):
    root = tmp_path / "unlv_vault"
    root.exists() or release("unlv_vault")
    path = data.draw(st.sampled_from(unlv_vault.annotation_files(root=root)))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:at] + data.draw(st.binary(max_size=12)) + whole[at + data.draw(st.integers(0, 12)) :])
    try:
        table = unlv_vault.samples(root=root)
    except InputError:
        return
    finally:
        path.write_bytes(whole)
    assert np.isfinite(table["score"]).all()
