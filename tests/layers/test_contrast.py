import math

import pytest
import torch

from aqa_pipeline.layers import contrast

P, N, S, D = 2, 3, 4, 5


def test_two_tokens_by_hand():
    query = torch.tensor([[[3.0, 0.0], [0.0, 2.0]]])  # lengths do not matter
    exemplar = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    e = math.exp(1 / 0.5)  # two tokens in one direction; exp(0) where they are at right angles
    first = -math.log(e / (e + e + 1))  # own partner, the other of the exemplar, the other of the query
    second = -math.log(1 / (1 + 1 + 1))
    back_first = -math.log(e / (e + 1 + e))
    back_second = -math.log(1 / (1 + e + e))
    expected = ((first + second) / 2 + (back_first + back_second) / 2) / 2
    assert contrast.contrast(query, exemplar, temperature=0.5).item() == pytest.approx(expected)


def test_tokens_that_tell_themselves_apart_cost_nothing():
    tokens = torch.eye(N)[None].repeat(P, 1, 1)
    assert contrast.contrast(tokens, tokens, temperature=0.01).item() == pytest.approx(0, abs=1e-6)
    alike = torch.ones(P, N, D)
    assert contrast.contrast(alike, alike, temperature=0.3).item() == pytest.approx(math.log(2 * N - 1), abs=1e-6)


def test_frames_are_contrasted_within_their_step_only():
    torch.manual_seed(0)
    query, exemplar = ([torch.randn(P, N, D) for _ in range(S)] for _ in range(2))
    alone = [contrast.contrast(q, x, temperature=0.5) for q, x in zip(query, exemplar, strict=True)]
    assert contrast.frames_in_steps(query, exemplar).item() == pytest.approx(torch.stack(alone).mean().item())


def test_stages_are_known_by_the_mean_of_their_tokens():
    torch.manual_seed(0)
    query, exemplar = ([torch.randn(P, N, D) for _ in range(S)] for _ in range(2))
    means = [torch.stack([step.mean(dim=1) for step in clip], dim=1) for clip in (query, exemplar)]  # (P, S, D)
    cosine = torch.nn.functional.cosine_similarity
    one_way = []
    for a, b in (means, means[::-1]):
        for p in range(P):
            for i in range(S):
                near = torch.exp(cosine(a[p, i], b[p, i], dim=0) / 0.1)
                others = [j for j in range(S) if j != i]
                far = sum(torch.exp(cosine(a[p, i], of[p, j], dim=0) / 0.1) for of in (a, b) for j in others)
                one_way.append(-torch.log(near / (near + far)))
    assert contrast.stages(query, exemplar).item() == pytest.approx(torch.stack(one_way).mean().item(), rel=1e-5)
