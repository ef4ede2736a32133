"""Graph convolutional networks on the stochastic block model."""

from __future__ import annotations

import networkx as nx
import pytest
import torch

from evaluators.networks.graph import GraphNetwork, dirichlet_energy
from evaluators.tasks import task
from evaluators.tasks.shipped.graphs import BETWEEN, FEATURES, NODES, WITHIN
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.train import train
from primitives.expression.parsing import parse

NAME = "gcn-sbm"


def normalised(graph: nx.Graph[int]) -> torch.Tensor:
    loops = torch.from_numpy(nx.to_numpy_array(graph)).float() + torch.eye(len(graph))
    return loops / loops.sum(dim=1).outer(loops.sum(dim=1)).sqrt()


def test_energy_is_the_sum_over_edges() -> None:
    graph = nx.karate_club_graph()
    for *_, edge in graph.edges(data=True):
        edge["weight"] = 1
    x = torch.randn(len(graph), 3, generator=torch.Generator().manual_seed(0))
    degree = torch.tensor([1.0 + graph.degree(node) for node in graph])
    scaled = x / degree.sqrt()[:, None]
    edges = sum(float((scaled[one] - scaled[other]).square().sum()) for one, other in graph.edges)
    energy = dirichlet_energy(x, normalised(graph))
    assert float(energy) == pytest.approx(edges / float(x.square().sum()), rel=1e-4)
    assert float(dirichlet_energy(degree.sqrt()[:, None], normalised(graph))) == pytest.approx(0.0, abs=1e-5)
    assert float(dirichlet_energy(torch.zeros(3, 2), torch.eye(3))) == 0.0


def test_the_output_follows_the_order_of_the_nodes() -> None:
    network = GraphNetwork(3, 8, 2, 4)
    adjacency, x = normalised(nx.path_graph(6)), torch.randn(6, 3)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    logits, energy = network(torch.cat([x, adjacency], dim=1)[None])
    permuted, same = network(torch.cat([x[order], adjacency[order][:, order]], dim=1)[None])
    assert torch.allclose(logits[0, order], permuted[0], atol=1e-6)
    assert torch.allclose(energy, same, atol=1e-6)


def test_graphs_have_the_edges_of_their_blocks() -> None:
    rows, blocks = task(NAME).data("search")
    linked = (rows[..., FEATURES:] > 0) & ~torch.eye(NODES, dtype=torch.bool)
    alike = blocks[0][:, None] == blocks[0]
    within = linked[:, alike & ~torch.eye(NODES, dtype=torch.bool)].double().mean()
    assert float(within) == pytest.approx(WITHIN, rel=0.05)
    assert float(linked[:, ~alike].double().mean()) == pytest.approx(BETWEEN, rel=0.05)


def test_a_stack_equals_one_model_and_both_are_read() -> None:
    chosen = task(f"{NAME}-2x4")
    (outcome,) = train(
        chosen, "search", [CohortMember(parse("tanh(x)"), (1,), protected=True)], Schedule(3, (), (0.01,)),
        readings=True,
    )  # fmt: skip
    plain = PlainModel(chosen, "search", parse("tanh(x)"), seed=1, rate=0.01, steps=3)
    plain.advance(3)
    assert float(outcome.at(3)[0, 0]) == pytest.approx(float(plain.loss("validation")), rel=1e-4)
    assert set(outcome.readings) == {"accuracy", "Dirichlet energy"}
    assert 0 < outcome.readings["Dirichlet energy"][0][0] < 1
