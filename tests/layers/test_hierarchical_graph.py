import pytest
import torch

from aqa_pipeline.layers import hierarchical_graph as graph

B, C, T, V = 2, 8, 7, 5
GROUPS = [[2], [0, 4], [1, 3]]


def test_a_level_ties_every_joint_of_two_neighbouring_groups():
    first, second = graph.hierarchy(GROUPS, V)
    assert first[0].diagonal().tolist() == [1, 0, 1, 0, 1]
    assert first[1].nonzero().tolist() == [[0, 2], [4, 2]]  # to 0 and 4, from 2
    assert first[1].sum(dim=0).tolist() == [0, 0, 1, 0, 0]  # what leaves a joint sums to one
    assert first[2, 2].tolist() == [1, 0, 0, 0, 1]
    assert second[1, 1].tolist() == second[1, 3].tolist() == [0.5, 0, 0, 0, 0.5]
    assert second[2].T.nonzero().tolist() == second[1].nonzero().tolist()


def test_edges_are_the_nearest_in_feature_space():
    edges = graph.EdgeConvolution(1, 2, neighbours=2).eval()
    edges.map[0].weight.data[:] = torch.tensor([[1.0, 0.0], [0.0, 1.0]])[..., None, None]  # the way there; oneself
    nodes = torch.tensor([[[0.0, 1.0, 5.0, 5.5]]])  # (1, 1, V)
    there, own = edges(nodes)[0] * (1 + 1e-5) ** 0.5  # batch normalisation before it has seen anything
    assert torch.allclose(there, torch.tensor([1.0, 0.0, 0.5, 0.0]), atol=1e-5)  # -1 and -0.5 lose to staying
    assert torch.allclose(own, nodes[0, 0], atol=1e-4)


def test_graphs_side_by_side_have_neighbours_of_their_own():
    torch.manual_seed(0)
    both = graph.EdgeConvolution(C, 3, neighbours=2, graphs=2).eval()
    alone = [graph.EdgeConvolution(C, 3, neighbours=2).eval() for _ in range(2)]
    for network, weights in zip(alone, both.map[0].weight.chunk(2), strict=True):
        network.map[0].weight = torch.nn.Parameter(weights)
    nodes = torch.randn(B, 2 * C, V)
    expected = torch.cat([network(part) for network, part in zip(alone, nodes.chunk(2, dim=1), strict=True)], dim=1)
    assert torch.allclose(both(nodes), expected, atol=1e-6)


def test_attention_weighs_levels_channel_by_channel():
    attention = graph.LevelAttention(C, [[0, 1], [2, 3, 4]]).eval()
    x = torch.randn(B, 2, C, T, V)
    torch.nn.init.zeros_(attention.up.weight)
    attention.up.bias.data = torch.linspace(-3, 3, C)
    expected = x.sum(dim=1) * torch.linspace(-3, 3, C).sigmoid()[:, None, None]
    assert torch.allclose(attention(x), expected, atol=1e-6)


def test_a_layer_begins_as_what_stands_beside_it():
    torch.manual_seed(0)
    layer = graph.HierarchicalConvolution(C, C, graph.hierarchy(GROUPS, V)).eval()
    x = torch.randn(B, C, T, V)
    assert torch.allclose(layer(x), x.relu(), atol=1e-3)


@pytest.mark.parametrize(("shift", "seen"), [(4, True), (5, False)])  # kernel of 5, dilated by 2: four frames away
def test_time_is_looked_at_in_four_ways(shift, seen):
    torch.manual_seed(0)
    layer = graph.TemporalConvolution(8 * C).eval()
    x = torch.randn(1, 8 * C, 12, V, requires_grad=True)
    layer(x)[0, :, 6, 2].square().sum().backward()
    assert bool((x.grad[0, :, 6 - shift, 2] != 0).any()) == seen
    assert bool((x.grad[0, :, :, 3] == 0).all())  # joints by themselves
