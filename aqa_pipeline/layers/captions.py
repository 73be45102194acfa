"""Sentences from videos by S2VT: one recurrent network reads the video, a second one, above it, says the words.

Venugopalan et al., "Sequence to Sequence - Video to Text", ICCV 2015, with gated recurrent units as in the released
code of Parmar and Morris, CVPR 2019 (ParitoshParmar/MTL-AQA). Both networks go over the video first and over the words
afterwards: while the video is seen the words are zeros, and while the words are said the video is. In training every
word is said after the true ones before it.

Shapes: B clips, S snippets, D channels of a snippet, L words of a caption with its marks of beginning and end, V words
that are known with both marks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from aqa_pipeline.batches import END, NO_LABEL, START


class S2VT(nn.Module):
    """The released sizes are the defaults: two networks of two layers of 512 units, words of 512, dropout 0.5."""

    def __init__(
        self, dim: int, words: int, *, hidden: int = 512, embedding: int = 512, layers: int = 2, dropout: float = 0.5
    ) -> None:
        super().__init__()
        options = dict(num_layers=layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.seeing = nn.GRU(dim, hidden, **options)
        self.saying = nn.GRU(hidden + embedding, hidden, **options)
        self.embedding = nn.Embedding(words, embedding)
        self.out = nn.Linear(hidden, words)

    def forward(self, video: Tensor, caption: Tensor) -> Tensor:
        """Video (B, S, D) and true captions (B, L) to logits (B, L - 1, V) of the words after the first."""
        n_snippets, n_words = video.shape[1], caption.shape[1] - 1
        seen = self.seeing(functional.pad(video, (0, 0, 0, n_words)))[0]
        words = self.embedding(caption[:, :-1].clamp(min=END))  # what follows the end is never asked for
        said = self.saying(torch.cat([seen, functional.pad(words, (0, 0, n_snippets, 0))], dim=2))[0]
        return self.out(said[:, n_snippets:])

    def loss(self, video: Tensor, caption: Tensor) -> Tensor:
        """Negative log-likelihood of the captions: sum over their words, mean over the clips."""
        logits = self(video, caption)
        missed = functional.cross_entropy(
            logits.flatten(0, 1), caption[:, 1:].flatten(), ignore_index=NO_LABEL, reduction="sum"
        )
        return missed / len(video)

    @torch.no_grad()
    def say(self, video: Tensor, *, length: int) -> Tensor:
        """The likeliest word after the likeliest words before it, for video (B, S, D): numbers of words (B, length).

        After the mark of the end nothing counts.
        """
        seen, seeing = self.seeing(video)
        silence = video.new_zeros(*video.shape[:2], self.embedding.embedding_dim)
        saying = self.saying(torch.cat([seen, silence], dim=2))[1]
        nothing, word = video.new_zeros(len(video), 1, video.shape[2]), torch.full_like(video[:, 0, 0], START).long()
        said = []
        for _ in range(length):
            seen, seeing = self.seeing(nothing, seeing)
            state, saying = self.saying(torch.cat([seen, self.embedding(word)[:, None]], dim=2), saying)
            word = self.out(state[:, 0]).argmax(dim=1)
            said.append(word)
        return torch.stack(said, dim=1)


def shortened(caption: Tensor, length: int) -> Tensor:
    """Captions (B, L) of `length` words at most, marks included; those that were longer end there."""
    kept = caption[:, :length].clone()
    if caption.shape[1] > length:
        kept[caption[:, length] != NO_LABEL, -1] = END
    return kept
