"""S2VT step by step, by hand; what counts of a caption, and what does not."""

import pytest
import torch

from aqa_pipeline.batches import END, NO_LABEL, START
from aqa_pipeline.layers.captions import S2VT, shortened

B, S, D, V = 2, 3, 5, 7  # clips, snippets, channels, words
CAPTIONS = torch.tensor([[START, 4, 2, END, NO_LABEL, NO_LABEL], [START, 6, 5, 3, 2, END]])


@pytest.fixture
def video():
    return torch.randn(B, S, D, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def speaker() -> S2VT:
    torch.manual_seed(0)
    return S2VT(D, V, hidden=4, embedding=3, layers=2).eval()


def step_by_step(model: S2VT, video, caption):
    """As the paper draws it: a snippet and no word at every step, then a word and no snippet."""
    seeing = saying = None
    logits = []
    for i in range(S + caption.shape[1] - 1):
        snippet = video[:, i : i + 1] if i < S else torch.zeros(B, 1, D)
        word = torch.zeros(B, 1, 3) if i < S else model.embedding(caption[:, i - S].clamp(min=0))[:, None]
        seen, seeing = model.seeing(snippet, seeing)
        said, saying = model.saying(torch.cat([seen, word], dim=2), saying)
        if i >= S:
            logits.append(model.out(said[:, 0]))
    return torch.stack(logits, dim=1)


def test_the_video_is_seen_first_and_every_word_is_said_after_the_true_ones(speaker, video):
    logits = speaker(video, CAPTIONS)
    assert logits.shape == (B, 5, V)
    torch.testing.assert_close(logits, step_by_step(speaker, video, CAPTIONS))


def test_the_loss_is_of_the_words_up_to_the_end(speaker, video):
    likely = step_by_step(speaker, video, CAPTIONS).log_softmax(dim=2)
    words = [(0, 0, 4), (0, 1, 2), (0, 2, END), (1, 0, 6), (1, 1, 5), (1, 2, 3), (1, 3, 2), (1, 4, END)]
    assert speaker.loss(video, CAPTIONS).item() == pytest.approx(-sum(likely[w].item() for w in words) / B, rel=1e-5)


def test_clips_without_a_caption_teach_nothing(speaker, video):
    unknown = CAPTIONS.clone()
    unknown[1] = NO_LABEL
    loss = speaker.loss(video, unknown)
    alone = speaker.loss(video[:1], CAPTIONS[:1])
    assert loss.item() == pytest.approx(alone.item() / B, rel=1e-5)
    assert speaker.loss(video, torch.full_like(unknown, NO_LABEL)).item() == 0


def test_what_is_said_is_the_likeliest_word_after_those_before(speaker, video):
    said = speaker.say(video, length=4)
    assert said.shape == (B, 4)
    so_far = torch.cat([torch.full((B, 1), START), said], dim=1)
    assert torch.equal(said, step_by_step(speaker, video, so_far).argmax(dim=2))


def test_what_was_learnt_by_heart_is_said(video):
    torch.manual_seed(0)
    model = S2VT(D, V, hidden=12, embedding=8, layers=1)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(40):
        optimiser.zero_grad()
        model.loss(video, CAPTIONS).backward()
        optimiser.step()
    said = model.say(video, length=5)
    assert said[0, :3].tolist() == [4, 2, END]
    assert said[1].tolist() == [6, 5, 3, 2, END]


def test_long_captions_end_where_they_are_cut():
    assert shortened(CAPTIONS, 4).tolist() == [[START, 4, 2, END], [START, 6, 5, END]]
    assert shortened(CAPTIONS, 5).tolist() == [[START, 4, 2, END, NO_LABEL], [START, 6, 5, 3, END]]
    assert torch.equal(shortened(CAPTIONS, 6), CAPTIONS)
    assert torch.equal(shortened(CAPTIONS, 100), CAPTIONS)
