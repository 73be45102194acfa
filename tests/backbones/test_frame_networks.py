"""Networks of timm on single frames: sizes, weights from files, what an ImageNet file lacks and has too much of."""

import importlib.util
import logging
import sys

import pytest
import torch
from torch import nn

from aqa_pipeline.backbones import regnet_gsm, resnet
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import frame_networks, torchvision
from aqa_pipeline.layers.gated_shift import GatedShift

B, T, H, W = 2, 5, 40, 32

pytestmark = pytest.mark.skipif(
    None in (importlib.util.find_spec("timm"), importlib.util.find_spec("torchvision")), reason="timm is not installed"
)


@pytest.fixture
def frames():
    return torch.randn(B, T, 3, H, W, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("module", [regnet_gsm, resnet])
def test_one_feature_vector_a_frame(module, frames):
    model = module.build(**module.tiny).eval()
    features = model(frames)
    assert features.shape == (B, T, model.dim)
    torch.testing.assert_close(model(frames[1:]), features[1:], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("module", [regnet_gsm, resnet])
def test_every_weight_gets_a_gradient(module, frames):
    model = module.build(**module.tiny)
    (model(frames) ** 2).sum().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


def test_sizes_at_full_width():
    regnet, plain = regnet_gsm.build(n_frames=96), resnet.build()
    assert (regnet.dim, plain.dim) == (368, 512)
    shifts = [module.moving for module in regnet.modules() if isinstance(module, GatedShift)]
    # Before a block stand the channels of the one before it; the stem has 32.
    assert shifts == [8, 8, 16, 40, 40, 40, 40, 92, 92, 92, 92, 92, 92]
    assert sum(weight.numel() for weight in plain.parameters()) == 21_284_672  # torchvision's, less 512 x 1000 + 1000


def test_frames_see_each_other_through_the_shift_alone(frames):
    model = regnet_gsm.build(**regnet_gsm.tiny).eval()
    for name, weight in model.named_parameters():
        if name.endswith("conv3.bn.weight"):
            nn.init.ones_(weight)  # 0 in a new network, whose blocks are then nothing but the way around them
    other = frames.clone()
    other[1, 3] += 1

    def changed():
        return (model(other) - model(frames)).abs().amax(dim=2) > 1e-6

    with torch.no_grad():
        assert changed().nonzero().tolist() == [[1, 3]]  # gates that are closed
        for shift in (module for module in model.modules() if isinstance(module, GatedShift)):
            nn.init.constant_(shift.gate.bias, 0.5)
        assert {(1, 2), (1, 3), (1, 4)} <= set(map(tuple, changed().nonzero().tolist()))
        assert not changed()[0].any()


def test_clips_of_another_length_are_not_mixed_up(frames):
    with pytest.raises(AssertionError, match="10, "):
        regnet_gsm.build(n_frames=10, width=0.2)(frames)  # or both clips of 5 would be one


def test_normalisation_is_frozen_unless_asked(frames):
    for frozen in (True, False):
        model = regnet_gsm.build(frozen=frozen, **regnet_gsm.tiny).train()
        model(frames)
        counted = {int(v) for k, v in model.state_dict().items() if k.endswith("num_batches_tracked")}
        assert counted == {0 if frozen else 1}


def test_names_are_torchvisions(frames):
    models = torchvision.ready("this test").models
    theirs = models.resnet18(weights=None).eval()
    ours = resnet.build(name="resnet18").eval()
    ours.network.load_state_dict({k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")})
    theirs.fc = nn.Identity()
    torch.testing.assert_close(ours(frames).flatten(0, 1), theirs(frames.flatten(0, 1)))


@pytest.mark.parametrize(
    ("module", "name", "head", "changed"),
    [
        (resnet, "resnet18", "fc", dict(channels=(3, 6, 13, 26))),
        (regnet_gsm, "regnety_002", "head.fc", dict(w0=8, wa=36.44 * 0.2, stem_width=8)),
    ],
)
def test_weights_of_a_file_all_but_the_head(tmp_path, caplog, module, name, head, changed):
    source = frame_networks.create(name, **changed)
    tensors = {**source.state_dict(), f"{head}.weight": torch.zeros(7, 2), f"{head}.bias": torch.zeros(7)}
    torch.save(tensors, tmp_path / "imagenet.pth")
    with caplog.at_level(logging.INFO):
        model = module.build(weights=str(tmp_path / "imagenet.pth"), **module.tiny)
    assert f"{head}.bias, {head}.weight" in caplog.text
    found = {k: v for k, v in model.network.state_dict().items() if "conv1.0." not in k}  # the shifts are new
    found = {k.replace("conv1.1.", "conv1."): v for k, v in found.items()}
    assert found.keys() == source.state_dict().keys()
    assert all(value.equal(found[key]) for key, value in source.state_dict().items())
    torch.save({**tensors, "extra.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"1 unexpected \(extra.weight\)"):
        module.build(weights=str(tmp_path / "other.pth"), **module.tiny)


def test_what_is_wrong_is_named(monkeypatch):
    with pytest.raises(InputError, match=r"resnet.name: found 'resnet43', did you mean 'resnet34'\?"):
        resnet.build(name="resnet43")
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"resnet34 needs timm, .* pip install --no-deps timm"):
        resnet.build()
