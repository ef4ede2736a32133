"""CartPole: a deep Q-network, whose return is that of the games it plays while it learns."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor, nn

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.errors import TaskError
from evaluators.objectives.readings import readings
from evaluators.tasks import task
from evaluators.tasks.base import Part
from evaluators.tasks.shipped.optional.cartpole import GAMES, GREEDY_AFTER, INSTALL, LONGEST, STATE, CartPole, _Games
from evaluators.training.initialisation import initial_network

PARTS: tuple[Part, ...] = ("search", "confirmation")


class Follows(nn.Module):
    """Goes to where the pole leans, times a sign; the parameter changes nothing."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.sign, self.weight = sign, nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        lean = self.sign * (x[:, 2] + x[:, 3])
        return torch.stack([-lean, lean], dim=1) + 0.0 * self.weight


def returns(network: nn.Module, part: Part = "search", seed: int = 3, steps: tuple[int, ...] = (30, 40)) -> list[float]:
    return list(CartPole().fit(network, part, seed, 0.003, steps))


def test_without_the_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(TaskError, match=r"^task 'cartpole' needs the library gymnasium: pip install 'actsearch\[rein"):
        returns(Follows(1.0))
    assert INSTALL == "pip install 'actsearch[reinforcement]'"


def falls(sign: float) -> int:
    """How often the pole falls within 200 steps in which hardly an action is random."""
    games = _Games(0, "cartpole", "search", GREEDY_AFTER + 200)
    for now in range(GREEDY_AFTER, GREEDY_AFTER + 200):
        games.play(Follows(sign), now)
    return len(games.ends)


def test_who_follows_the_pole_holds_it() -> None:
    pytest.importorskip("gymnasium")
    assert falls(1.0) < 3 * GAMES < 10 * GAMES < falls(-1.0)


def test_transitions_are_those_of_the_games() -> None:
    pytest.importorskip("gymnasium")
    games, steps = _Games(1, "cartpole", "search", 60), 60
    for now in range(steps):
        games.play(Follows(1.0), now)
    known = games.transitions
    assert known.before.shape == (steps * GAMES, STATE)
    goes_on = known.goes_on.view(steps, GAMES).bool()
    before, after = known.before.view(steps, GAMES, STATE), known.after.view(steps, GAMES, STATE)
    assert torch.equal(before[1:][goes_on[:-1]], after[:-1][goes_on[:-1]])  # a state follows on the last one
    fallen = (~goes_on).nonzero()[:, 0].tolist()
    assert sorted(games.ends) == fallen and len(fallen) > 5
    assert (before[1:][~goes_on[:-1]].abs() < 0.6).all()  # where a game has ended another one begins, near rest
    assert games.mean_return(0, steps) == steps * GAMES / len(fallen)
    assert games.mean_return(steps, steps + 100) == LONGEST  # nobody falls


def test_a_seed_has_games_of_its_own_and_confirmation_plays_others_for_the_test() -> None:
    pytest.importorskip("gymnasium")
    network = initial_network(CartPole(), 0)
    first = {(seed, part): returns(initial_network(CartPole(), 0), part, seed) for seed in (1, 2) for part in PARTS}
    assert len({tuple(row[:2]) for row in first.values()}) == 4
    assert first[1, "search"] == returns(network, "search", 1)
    assert [len(row) for row in first.values()] == [2, 3, 2, 3]
    assert first[1, "confirmation"][1] != first[1, "confirmation"][2]


def test_it_is_judged_by_the_return_and_a_name_gives_depth_and_width() -> None:
    pytest.importorskip("gymnasium")
    assert isinstance(task("cartpole-1x12"), CartPole)
    request = CohortRequest(("tanh(x)",), ("cartpole-1x12",), 0, 2, 30, rates=(0.01,), nulls=0, readings=True)
    row = run_cohort(request).candidates[0]
    assert row.reason is None
    assert readings(row, "cartpole-1x12") == {"return": pytest.approx(row.final("cartpole-1x12").mean())}


@pytest.mark.slow
def test_a_network_learns_to_hold_the_pole() -> None:
    """Random actions hold it for 22 steps."""
    pytest.importorskip("gymnasium")
    found = returns(initial_network(CartPole(), 0), seed=0, steps=(1000,))
    assert found[0] > 60
