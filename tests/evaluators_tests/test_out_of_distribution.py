"""Images of no known class, found by the energy of a trained network after a candidate has reshaped its features."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import roc_auc_score, roc_curve
from torch import Tensor, nn

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.tasks import task
from evaluators.tasks.base import Part, split
from evaluators.tasks.readings import auroc, fpr95
from evaluators.tasks.shipped.out_of_distribution import KNOWN, known_digits, unknown_images
from evaluators.training.initialisation import initial_network

NAME = "ood-digits"


@pytest.mark.parametrize("levels", [3, 1000])
def test_scores_are_those_of_scikit_learn(levels: int) -> None:
    generator = torch.Generator().manual_seed(levels)
    known, unknown = (torch.randint(levels, (count,), generator=generator).double() for count in (100, 57))
    labels, scores = [1] * 100 + [0] * 57, torch.cat([known + 1, unknown])
    assert float(auroc(known + 1, unknown)) == pytest.approx(roc_auc_score(labels, scores))
    rates = zip(*roc_curve(labels, scores, drop_intermediate=False)[:2], strict=True)
    assert float(fpr95(known + 1, unknown)) == pytest.approx(min(false for false, true in rates if true >= 0.95))


def test_scores_that_are_no_numbers_have_no_area() -> None:
    scores = torch.tensor([1.0, float("nan")])
    for judge in (auroc, fpr95):
        assert judge(scores, torch.zeros(3)).isnan() and judge(torch.zeros(3), scores).isnan()


def test_a_seed_has_one_network_and_other_images_are_of_four_kinds() -> None:
    chosen = task(NAME)
    first, again = (initial_network(chosen, 5).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first) and float(first["unit"]) > 0
    parts: tuple[Part, ...] = ("search", "confirmation")
    for part in parts:
        known, labels = known_digits(part)
        assert labels.max() < KNOWN
        kinds = unknown_images(part, known[:64], 1)
        assert [each.shape[1] for each in kinds] == [64] * 4
        assert not {tuple(row) for row in kinds[0].tolist()} & {tuple(row) for row in known.tolist()}


def test_relu_is_the_network_as_it_is() -> None:
    names = (NAME, "ood-digits-fpr95")
    found = run_cohort(CohortRequest(("x", "relu(x)**2"), names, 0, 2, 1, rates=(0.001,), nulls=0))
    same, squared = found.candidates
    for name in names:
        assert (same.final(name) == found.reference.final(name)).all()
        assert (squared.final(name) != found.reference.final(name)).any()


def areas(name: str, seeds: int) -> list[float]:
    """Of each kind of other images, for the network as it is or with its small features cut off."""
    chosen, sums = task(NAME), torch.zeros(4, dtype=torch.float64)
    known = known_digits("search")[0]
    for seed in range(seeds):
        network = initial_network(chosen, seed)
        if name == "vra":
            network.set_submodule("reshape", Cut())
        images = known[split(len(known), "search", seed).validation]
        kinds = (images, *unknown_images("search", images, seed))
        with torch.no_grad():
            score, *others = (network(each).logsumexp(dim=1) for each in kinds)
        sums += torch.stack([auroc(score, other) for other in others])
    return (sums / seeds).tolist()


class Cut(nn.Module):
    """VRA-P, where(x>.5, min(x, 1), 0)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0.5, x.clamp(max=1.0), torch.zeros_like(x))


def test_cutting_small_features_finds_what_is_far_and_misses_what_is_near() -> None:
    """VRA's direction holds for permuted pixels, noise and photographs, .992 to .998, not for other digits."""
    plain, cut = areas("none", 4), areas("vra", 4)
    assert sum(cut[1:]) > sum(plain[1:])
    assert cut[0] < plain[0] - 0.005
