import math

import pytest
import torch

from aqa_pipeline.layers import distributions

B, S, D, N = 2, 3, 4, 5


def test_soft_labels_are_a_normal_density_that_sums_to_one():
    labels = distributions.gaussian(torch.tensor([2.0, 0.5]), N, sigma=0.5)  # (2, N)
    density = [math.exp(-0.5 * ((n - 0.5) / 0.5) ** 2) for n in range(N)]
    assert labels[1].tolist() == pytest.approx([value / sum(density) for value in density])
    assert labels[0].tolist() == pytest.approx(labels[0].flip(0).tolist())
    assert labels.sum(dim=1).tolist() == pytest.approx([1, 1])


def test_a_score_far_beyond_the_bins_still_has_a_label():
    labels = distributions.gaussian(torch.tensor(400.0), N, sigma=1.0)
    assert labels.tolist() == pytest.approx([0, 0, 0, 0, 1])


def test_divergence_by_hand():
    labels = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    logits = torch.tensor([[0.25, 0.25, 0.5], [0.2, 0.3, 0.5]]).log() + 7  # logits mean the same whatever is added
    assert distributions.divergence(logits, labels).tolist() == pytest.approx([math.log(2), 0], abs=1e-6)
    mean = distributions.divergence(logits, labels, reduction="mean")
    assert mean.tolist() == pytest.approx([math.log(2) / 3, 0], abs=1e-6)


def test_the_released_reduction_is_what_torch_does_by_default():
    torch.manual_seed(0)
    logits, labels = torch.randn(B, N), torch.randn(B, N).softmax(dim=1)
    with pytest.warns(UserWarning, match="batchmean"):
        theirs = torch.nn.KLDivLoss()(logits.softmax(dim=1).log(), labels)
    assert distributions.divergence(logits, labels, reduction="mean").mean().item() == pytest.approx(theirs.item())


def test_the_likeliest_value_or_the_mean_of_all():
    logits = torch.tensor([[0.5, 0.2, 0.3], [0.1, 0.3, 0.6]]).log()
    values = torch.tensor([10.0, 20.0, 30.0])
    assert distributions.decode(logits, values).tolist() == [10, 30]
    assert distributions.decode(logits, values, how="expectation").tolist() == pytest.approx([18, 25])


def test_snippets_are_averaged_behind_or_before_the_maps():
    torch.manual_seed(0)
    features = torch.randn(B, S, D)
    behind, before = (distributions.Head(D, N, hidden=[6], pooling=pooling) for pooling in ("scores", "features"))
    before.load_state_dict(behind.state_dict())
    maps = behind.maps
    assert torch.allclose(behind(features), torch.stack([maps(features[:, s]) for s in range(S)]).mean(dim=0))
    assert torch.allclose(before(features), maps(features.mean(dim=1)))
    assert not torch.allclose(behind(features), before(features))
