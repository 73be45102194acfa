"""Each data set owns how a final score is made from execution and difficulty, and back."""

import numpy as np
import pytest

from aqa_pipeline import plugins

DIFFICULTY = {"kimore": np.array([np.nan, np.nan, np.nan])}


@pytest.mark.parametrize("name", plugins.available("datasets"))
def test_there_and_back(name):
    dataset = plugins.load("datasets", name)
    marks, difficulty = np.array([24.5, 0.0, 17.0]), DIFFICULTY.get(name, np.array([3.2, 2.0, 1.5]))
    scores = dataset.compose(marks, difficulty)
    assert dataset.execution(scores, difficulty) == pytest.approx(marks)


@pytest.mark.parametrize("name", plugins.available("datasets"))
def test_functions_take_the_same_options(name):
    samples = plugins.options("datasets", name, "samples")
    assert plugins.options("datasets", name, "annotation_files") == samples
    for function in ("keypoints", "features", "media", "label_errors"):
        if hasattr(plugins.load("datasets", name), function):
            assert plugins.options("datasets", name, function) == samples


@pytest.mark.parametrize("name", ["simdive", "unlv_dive_p3d", "custom", "finediving", "mtl_aqa"])
def test_diving_multiplies(name):
    dataset = plugins.load("datasets", name)
    assert dataset.compose(25.5, 3.3) == pytest.approx(84.15)
    assert dataset.compose(25.5, np.nan) == 25.5


def test_kimore_has_no_difficulty():
    assert plugins.load("datasets", "kimore").compose(62.5, np.nan) == 62.5
