import pytest
import torch
from torch import nn

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError
from aqa_pipeline.systems import _encoders

B, T, D, SIDE = 2, 40, 3, 32
STARTS = (0, 8, 24)
PICTURES = Facts(dims={}, lengths={}, pictures=(T, SIDE, SIDE))


def stored(**lengths: int) -> Facts:
    return Facts(dims=dict.fromkeys(lengths, D), lengths=lengths)


def clips(inputs: dict) -> Clips:
    unknown = torch.full((B,), torch.nan)
    return Clips(inputs, tuple("ab"), unknown, unknown, torch.zeros(B, dtype=torch.long))


def test_a_role_is_filled_by_its_own_set_then_by_pictures_then_by_the_only_set():
    assert _encoders.modality(stored(static=T, other=T), "static") == "static"
    assert _encoders.modality(PICTURES, "static") == "frames"
    assert _encoders.modality(stored(motion=T), "static") == "motion"
    with pytest.raises(InputError, match="found motion, other, expected one set for the role 'static'"):
        _encoders.modality(stored(motion=T, other=T), "static")


def test_as_many_stored_rows_as_snippets_are_taken_as_they_are():
    encoder = _encoders.snippets(stored(motion=3), starts=STARTS, dim=5)
    rows = torch.randn(B, 3, D)
    features, maps = encoder(clips({"motion": rows}))
    assert torch.equal(features, rows)
    assert torch.equal(maps, rows[..., None, None])
    assert encoder.dim == D


def test_longer_sequences_are_seen_in_each_snippets_share_of_the_time():
    encoder = _encoders.snippets(stored(motion=T), starts=STARTS, dim=3 * D)
    nn.init.eye_(encoder.map.weight)
    nn.init.zeros_(encoder.map.bias)
    rows = torch.arange(T, dtype=torch.float32)[None, :, None] * torch.tensor([1.0, -1.0, 2.0])
    features, _ = encoder(clips({"motion": rows.expand(B, T, D)}))  # (B, 3, 9)
    assert features[1, 1].tolist() == [15.5, -15.5, 31, 8, -23, 16, 23, -8, 46]  # rows 8 to 23: mean, least, largest
    half = _encoders.snippets(stored(motion=T // 2), starts=STARTS, dim=3 * D)
    half.load_state_dict(encoder.state_dict())
    assert half(clips({"motion": rows[:, ::2].expand(B, T // 2, D)}))[0][0, 1, 3].item() == 8  # the same time


def test_snippets_of_pictures_are_those_that_begin_where_they_should():
    frames = torch.arange(T, dtype=torch.uint8)[None, :, None, None, None].expand(B, T, 3, SIDE, SIDE)
    cut = _encoders.pieces(clips({"frames": frames}), STARTS, pixels="symmetric")  # (B S, 3, 16, H, W)
    assert cut.shape == (B * len(STARTS), 3, 16, SIDE, SIDE)
    grey = (cut[:, 0, :, 0, 0] + 1) * 127.5
    assert torch.allclose(grey[4], torch.arange(8.0, 24.0), atol=1e-4)  # of the second clip the second


@pytest.mark.parametrize("apart", [False, True])
def test_pictures_give_features_and_maps_of_every_snippet(apart):
    encoder = _encoders.snippets(PICTURES, starts=STARTS, width=0.05, apart=apart).eval()
    frames = torch.randint(0, 256, (B, T, 3, SIDE, SIDE), dtype=torch.uint8)
    features, maps = encoder(clips({"frames": frames}))
    assert features.shape == (B, 3, encoder.dim)
    assert maps.shape == (B, 3, encoder.dim, 1, 1)
    assert torch.allclose(maps.mean(dim=(3, 4)), features, atol=1e-6)


def test_mistakes_are_named_when_the_network_is_built():
    with pytest.raises(InputError, match="pixels: found 'imagnet', did you mean 'imagenet'"):
        _encoders.snippets(PICTURES, starts=STARTS, width=0.05, pixels="imagnet")
    with pytest.raises(InputError, match=f"frames.n_frames: found {T}, expected 41 for these snippets"):
        _encoders.snippets(PICTURES, starts=(0, 25), width=0.05)
    with pytest.raises(InputError, match="starts: found 1 snippet, expected two or more"):
        _encoders.stride([0])
