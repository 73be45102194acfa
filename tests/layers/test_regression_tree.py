import numpy as np
import pytest
import torch

from aqa_pipeline.layers import regression_tree as tree

EDGES = torch.tensor([-9.0, -4, -1, 0, 0, 0, 1, 4, 9])  # 8 leaves, the two in the middle without width


def test_leaves_hold_equally_many_differences():
    differences = np.array([5.0, 0, 3, 1, 2, 8, 13, 21, 34])  # sorted: 0 1 2 3 5 8 13 21 34
    found = tree.edges(differences, 8, 40.0)
    assert found.tolist() == [-40, -13, -5, -2, 0, 2, 5, 13, 40]


def test_ranks_are_rounded_down_and_no_edge_lies_beyond_the_last():
    assert tree.edges(np.array([1.0, 2, 3, 4]), 4, 9.0).tolist() == [-9, -2, 0, 2, 9]  # rank 1.5
    assert tree.edges(np.array([1.0, 2, 3]), 4, 1.5).tolist() == [-1.5, -1.5, 0, 1.5, 1.5]


@pytest.mark.parametrize(
    ("difference", "leaf", "place"),
    [
        (0.0, 5, 0.0),  # the leaf from 0 to 0 holds nothing
        (0.5, 5, 0.5),
        (1.0, 6, 0.0),  # a right edge belongs to the next leaf
        (2.5, 6, 0.5),
        (8.0, 7, 0.8),
        (9.0, 7, 1.0),  # and the outermost to the outer leaf
        (11.0, 7, 1.4),
        (-0.5, 2, 0.5),
        (-1.0, 1, 1.0),  # below 0 all is mirrored
        (-2.5, 1, 0.5),
        (-9.0, 0, 0.0),
        (-11.0, 0, -0.4),
    ],
)
def test_leaf_and_place_by_hand(difference, leaf, place):
    value = torch.tensor([difference])
    found = tree.leaf_of(value, EDGES)
    assert found.tolist() == [leaf]
    assert tree.to_place(value, found, EDGES).tolist() == pytest.approx([place])


def test_a_place_leads_back_to_its_difference():
    differences = torch.linspace(-9, 9, 41)
    leaves = tree.leaf_of(differences, EDGES)
    places = tree.to_place(differences, leaves, EDGES)
    assert torch.allclose(tree.from_place(places, leaves, EDGES), differences, atol=1e-6)
    flat = torch.tensor([3])
    assert tree.from_place(torch.tensor([0.25]), flat, EDGES).tolist() == [0.25]  # of a leaf without width: from it


def test_probabilities_of_the_leaves_are_those_of_the_branches_that_lead_there():
    torch.manual_seed(0)
    model = tree.RegressionTree(5, hidden=6, depth=4)
    pairs = torch.randn(3, 5)
    log_probability, place = model(pairs)
    assert log_probability.shape == place.shape == (3, 8)
    assert log_probability.exp().sum(dim=1).tolist() == pytest.approx([1, 1, 1])
    # one leaf, 0b101, by hand
    node, known, x = 0, 0.0, model.root(pairs).relu()
    for level, branch in enumerate((1, 0, 1)):
        split, grow = model.split[level], model.grow[level]
        known = known + (x @ split.weight[node] + split.bias[node]).log_softmax(dim=1)[:, branch]
        x = (x @ grow.weight[node] + grow.bias[node]).relu()[:, branch * 6 : branch * 6 + 6]
        node = 2 * node + branch
    assert torch.allclose(log_probability[:, 0b101], known, atol=1e-6)
    assert torch.allclose(place[:, 0b101], (x @ model.inside.weight[node] + model.inside.bias[node])[:, 0], atol=1e-6)


def test_the_paper_has_so_many_parameters():
    assert sum(p.numel() for p in tree.RegressionTree(2049).parameters()) == 2_510_382
