import pytest
import torch

from aqa_pipeline import keypoint_sets
from aqa_pipeline.backbones import hd_gcn
from aqa_pipeline.backbones.hd_gcn import HDGCN
from aqa_pipeline.errors import InputError

B, T, WIDTH = 2, 6, 4
MPII = keypoint_sets.get("mpii_16")


def test_sizes_and_groups_are_the_released_ones():
    model = HDGCN(groups="released", classes=60)
    body = (4 * 64 + 128) + 3 * (4 * 64 + 128) + (3 * 16 + 32) + (64 + 128)  # before, on, over and beside the graphs
    time = 6 * (4 * 16 + 32) + 128  # in four views, and beside them
    assert sum(p.numel() for p in model.parameters()) == 182_156 - (body + time)  # without biases that do nothing
    rings = hd_gcn._rings(hd_gcn.joints("mpii_16"), "released")
    assert [sorted(ring) for ring in rings] == [[7], [6, 8, 12, 13], [2, 3, 9, 11, 14], [1, 4, 10, 15], [0, 5]]
    assert model.units[0].body.graphs.shape == (4, 3, 16, 16)
    assert sorted(model.units[1].body.attention.levels[0]) == [5, 6, 7, 11, 12]  # one less than meant
    assert sorted(HDGCN(groups="five").units[1].body.attention.levels[0]) == [6, 7, 8, 12, 13]


def test_three_levels_are_torso_inner_and_outer_parts_of_the_limbs():
    rings = hd_gcn._rings(hd_gcn.joints("mpii_16"), "paper")
    names = [{MPII.names[joint] for joint in ring} for ring in rings]
    assert names[0] == {"thorax"}
    assert names[1] >= {"pelvis", "left_hip", "right_shoulder"}
    assert names[2] == {f"{side}_{part}" for side in ("left", "right") for part in ("elbow", "knee")}
    assert names[3] == {f"{side}_{part}" for side in ("left", "right") for part in ("wrist", "ankle")}
    assert HDGCN(width=WIDTH).units[0].body.graphs.shape == (3, 3, 16, 16)


@pytest.mark.parametrize("groups", hd_gcn.GROUPS)
@pytest.mark.parametrize("keypoint_set", ["mpii_16", "coco_17"])
def test_every_joint_is_in_one_group(keypoint_set, groups):
    names = hd_gcn.joints(keypoint_set)
    placed = [joint for ring in hd_gcn._rings(names, groups) for joint in ring]
    assert sorted(placed) == list(range(len(names)))


def test_thorax_and_pelvis_of_coco_lie_between_shoulders_and_hips():
    names, pairs = hd_gcn.joints("coco_17"), hd_gcn._sides("coco_17")
    assert names[17:] == ["thorax", "pelvis"]
    assert [[names[point] for point in pair] for pair in pairs] == [
        ["left_shoulder", "right_shoulder"],
        ["left_hip", "right_hip"],
    ]
    assert hd_gcn._sides("mpii_16") == []


@pytest.mark.parametrize(("keypoint_set", "channels"), [("mpii_16", 2), ("coco_17", 3)])
def test_frames_keep_their_order_and_coordinates_their_columns(keypoint_set, channels):
    torch.manual_seed(0)
    model = HDGCN(keypoint_set=keypoint_set, channels=channels, width=WIDTH, classes=3).eval()
    points = len(keypoint_sets.get(keypoint_set))
    flat = torch.randn(B, T + 30, points * channels, requires_grad=True)
    frames, logits = model(flat)
    assert frames.shape == (B, T + 30, 2 * WIDTH)
    assert logits.shape == (B, 3)
    frames[0, 0].sum().backward()
    reach = flat.grad.abs().sum(dim=2) > 0
    assert not reach[1].any()
    assert reach[0, 0]
    # scaling is coordinate by coordinate: x of joint 0, then its y
    model.norm.running_mean[1] = 100.0
    moved = flat.detach().clone()
    moved[:, :, 1] += 100
    assert torch.allclose(model(moved)[0], frames.detach(), atol=1e-4)


def test_words_and_keypoints_that_have_no_place_are_named():
    with pytest.raises(InputError, match="groups: found 'papers', did you mean 'paper'"):
        HDGCN(groups="papers")
    with pytest.raises(
        InputError, match=r"keypoint_set: found the keypoint 'left_eye_inner', expected those of mpii_16"
    ):
        HDGCN(keypoint_set="blazepose_33")


def test_released_weights_are_joined_level_by_level_and_lose_their_biases():
    model = HDGCN(groups="released", classes=60)
    official = {
        "data_bn.weight": torch.ones(32),
        "fc.weight": torch.ones(60, 128),
        "l2.gcn1.PA": torch.ones(4, 3, 16, 16),
        "l5.residual.bn.weight": torch.ones(128),
        "l5.gcn1.aha.edge_conv.conv.0.weight": torch.ones(32, 64, 1, 1),
        "l4.tcn1.branches.0.3.conv.weight": torch.ones(16, 16, 5, 1),
        "l4.tcn1.branches.0.3.bias": torch.full((1, 16, 1, 1), 3.0),
        "l4.tcn1.branches.0.3.bn.running_mean": torch.full((16,), 5.0),
        "l4.tcn1.branches.2.1.bias": torch.ones(16),
        "l4.tcn1.branches.2.1.running_mean": torch.ones(16),
        "l4.tcn1.branches.2.4.bias": torch.ones(16),
        "l4.tcn1.branches.3.1.running_var": torch.ones(16),
        "l1.gcn1.bn.num_batches_tracked": torch.tensor(9),
        "l1.gcn1.conv_d.0.0.weight": torch.ones(16, 16, 1, 1),
    }
    for level in range(4):
        official[f"l1.gcn1.conv_down.{level}.0.weight"] = torch.full((16, 2, 1, 1), float(level))
        official[f"l1.gcn1.conv_down.{level}.0.bias"] = torch.full((16,), float(level))
        official[f"l1.gcn1.conv_down.{level}.1.running_mean"] = torch.full((16,), 10.0)
        official[f"l1.gcn1.conv.{level}.3.conv.0.weight"] = torch.full((16, 32, 1, 1), float(level))
        for graph in range(3):
            official[f"l1.gcn1.conv.{level}.{graph}.0.weight"] = torch.full((16, 16, 1, 1), 3.0 * level + graph)
    found = hd_gcn.from_official(official)
    expected = model.state_dict()
    assert {name: tensor.shape for name, tensor in found.items()} == {name: expected[name].shape for name in found}
    assert found["units.0.body.maps.0.weight"][::16, 0, 0, 0].tolist() == list(range(12))
    assert found["units.0.body.edges.map.0.weight"][::16, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert found["units.0.body.down.1.running_mean"][::16].tolist() == [10, 9, 8, 7]
    assert found["units.3.time.near.2.running_mean"].tolist() == [2] * 16
    assert found["units.3.time.strongest.0.1.bias"].tolist() == [1] * 16
    assert {"norm.weight", "classify.weight", "units.4.beside.1.weight", "units.3.time.alone.1.running_var"} < set(
        found
    )
