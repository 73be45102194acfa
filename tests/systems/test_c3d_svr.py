from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from aqa_pipeline.errors import InputError
from aqa_pipeline.systems import c3d_svr

from .conftest import FACTS, make_clips

N, TRIED = 30, [1e-3, 1e-1, 1e1]


def clips(seed: int = 0):
    """Videos whose score is a weighted sum of their mean features, and some noise."""
    drawn = make_clips(N, seed=seed)
    features = drawn.inputs["pose"]
    target = features.mean(dim=1) @ torch.tensor([3.0, -1, 0, 2, 0]) + 0.3 * drawn.target
    return replace(drawn, inputs={"pose": features}, target=target)


def means(videos) -> np.ndarray:
    return videos.inputs["pose"].numpy().astype(float).mean(axis=1)


@pytest.mark.parametrize("scale", [True, False])
def test_the_penalty_is_the_one_that_scikit_learns_search_chooses(scale):
    train, test = clips(), clips(seed=1)
    x, y = means(train), train.target.double().numpy()
    machine = SVR(kernel="linear", epsilon=0.1 if scale else 0.1 * y.std())
    if scale:
        machine = TransformedTargetRegressor(make_pipeline(StandardScaler(), machine), transformer=StandardScaler())
    grid = {"regressor__svr__C" if scale else "C": TRIED}
    folds = KFold(5, shuffle=True, random_state=4)
    search = GridSearchCV(machine, grid, cv=folds, scoring="neg_mean_squared_error").fit(x, y)
    weights = c3d_svr.fit(train, FACTS, C=TRIED, scale=scale, seed=4)
    assert weights["errors"] == pytest.approx(
        (-search.cv_results_["mean_test_score"]) ** 0.5, rel=1e-3
    )  # libsvm stops at 1e-3
    assert weights["C"].tolist() == list(search.best_params_.values())
    expected = search.predict(means(test))
    assert c3d_svr.predict(weights, test) == pytest.approx(expected, abs=1e-2)


def test_the_choice_and_its_errors_are_recorded():
    weights = c3d_svr.fit(clips(), FACTS, C=TRIED, folds=3)
    assert weights["tried"].tolist() == TRIED
    assert weights["C"].tolist() == [TRIED[int(weights["errors"].argmin())]]
    assert (weights["errors"] > 0).all()
    assert weights["errors"][0] > 1.5 * weights["errors"].min()  # a penalty this small says the mean to everyone


def test_errors_are_of_predictions_out_of_fold():
    """With two folds of two videos each the machine sees two, and the errors can be made by hand."""
    train = clips().rows(torch.arange(4))
    weights = c3d_svr.fit(train, FACTS, C=[1.0], folds=2)
    squares = np.zeros(4)
    for rows, out in KFold(2, shuffle=True, random_state=0).split(range(4)):
        own = c3d_svr.feature_svr.fit(
            train.rows(torch.from_numpy(rows)), FACTS, segments=1, statistics=["mean"], kernel="linear", C=1.0
        )
        held_out = train.rows(torch.from_numpy(out))
        squares[out] = (c3d_svr.predict(own, held_out) - held_out.target.double().numpy()) ** 2
    assert weights["errors"].tolist() == pytest.approx([squares.mean() ** 0.5])


def test_options_that_are_none_are_named():
    with pytest.raises(InputError, match=r"c3d_svr.folds: found 40, expected 2 to 30, the clips of the training part"):
        c3d_svr.fit(clips(), FACTS, folds=40)
    with pytest.raises(InputError, match="kernel: found 'liner', did you mean 'linear'"):
        c3d_svr.fit(clips(), FACTS, kernel="liner")
