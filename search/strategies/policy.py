"""A recurrent policy that makes the decisions of a vector one after the other, and its training by PPO.

Proximal policy optimisation with a clipped ratio is Schulman et al. 2017, arXiv:1707.06347.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.training.member import Array

WIDTH = 32
CLIP, EPOCHS = 0.2, 8
LEARNING_RATE = 0.01
# Without both the weights were no numbers after some 1,000 classes of two units, and all that was drawn was x+x+x.
LARGEST = 0.5  # norm of a gradient
FARTHEST = 20.0  # nats that a log-probability rises in a step: e^88 is infinite, and its gradient no number


class Policy(nn.Module):
    """An LSTM; each step sees the last choice and gives the probabilities of the next decision's choices.

    Args:
        shares: for each decision how often each of its choices occurs at first; all above 0. What the policy gives
            before it was trained.
    """

    def __init__(self, shares: Sequence[Array]) -> None:
        super().__init__()
        sizes = [len(each) for each in shares]
        self.starts = np.cumsum([1, *sizes])[:-1].tolist()  # rows of each decision's choices; row 0 begins a vector
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.embedding = nn.Embedding(1 + sum(sizes), WIDTH)
            self.cell = nn.LSTM(WIDTH, WIDTH, batch_first=True)
        self.heads = nn.ModuleList(nn.Linear(WIDTH, size) for size in sizes)
        for head, share in zip(self.heads, shares, strict=True):
            assert isinstance(head, nn.Linear)
            nn.init.zeros_(head.weight)
            with torch.no_grad():
                head.bias.copy_(torch.from_numpy(np.log(share)))

    @torch.no_grad()
    def sample(self, n: int, rng: np.random.Generator, temperature: float = 1.0) -> Array:
        """``n`` vectors, (n, decisions), whole numbers: the choices' places.

        Above 1 the temperature brings the probabilities of a decision's choices nearer to each other.
        """
        last, state = torch.zeros(n, 1, dtype=torch.long), None
        chosen = []
        for head, start in zip(self.heads, self.starts, strict=True):
            hidden, state = self.cell(self.embedding(last), state)
            reached = (head(hidden[:, 0]) / temperature).softmax(dim=1).cumsum(dim=1).numpy()
            drawn = (rng.random((n, 1)) * reached[:, -1:] > reached).sum(axis=1)
            chosen.append(drawn)
            last = torch.from_numpy(drawn + start)[:, None]
        return np.stack(chosen, axis=1)

    def log_probabilities(self, vectors: Tensor, matter: Tensor) -> tuple[Tensor, Tensor]:
        """The log-probability of vectors, and the mean entropy of a decision, of the decisions that matter.

        Args:
            vectors: (n, decisions), whole numbers.
            matter: whether a decision does, (n, decisions).

        Returns:
            Two tensors, (n,) each.
        """
        rows = vectors + torch.tensor(self.starts)
        begun = torch.cat([torch.zeros_like(rows[:, :1]), rows[:, :-1]], dim=1)
        hidden, _ = self.cell(self.embedding(begun))
        logs = [head(hidden[:, place]).log_softmax(dim=1) for place, head in enumerate(self.heads)]
        taken = [log.gather(1, vectors[:, place, None])[:, 0] for place, log in enumerate(logs)]
        entropies = [-(log.exp() * log).sum(dim=1) for log in logs]
        weights = matter.float().T
        entropy = (torch.stack(entropies) * weights).sum(dim=0) / weights.sum(dim=0).clamp(min=1.0)
        return (torch.stack(taken) * weights).sum(dim=0), entropy


class Trainer:
    """Trains a policy on batches of vectors with their advantages.

    Args:
        policy: at its start.
        entropy: weight of the mean entropy of a decision, in nats, beside advantages of a mean size of 1.
    """

    def __init__(self, policy: Policy, entropy: float) -> None:
        self.policy, self.entropy = policy, entropy
        self.adam = torch.optim.Adam(policy.parameters(), lr=LEARNING_RATE)

    def step(self, vectors: Array, matter: Array, advantages: Array) -> float:
        """Some passes over one batch; ratios are to the policy before the first.

        Args:
            vectors: (n, decisions), whole numbers.
            matter: whether a decision does, (n, decisions).
            advantages: (n,).

        Returns:
            The mean entropy of a decision before the step, in nats.
        """
        chosen, better = (torch.from_numpy(vectors), torch.from_numpy(matter)), torch.from_numpy(advantages).float()
        with torch.no_grad():
            before, uncertain = self.policy.log_probabilities(*chosen)
        for _ in range(EPOCHS):
            now, entropy = self.policy.log_probabilities(*chosen)
            ratio = (now - before).clamp(max=FARTHEST).exp()
            gained = torch.minimum(ratio * better, ratio.clamp(1 - CLIP, 1 + CLIP) * better)
            self.adam.zero_grad()
            (-(gained + self.entropy * entropy).mean()).backward()
            nn.utils.clip_grad_norm_(self.policy.parameters(), LARGEST, error_if_nonfinite=True)
            self.adam.step()
        return float(uncertain.mean())


def packed_trainer(trainer: Trainer) -> dict[str, np.ndarray]:
    """A trainer's weights and the moments of its optimiser, bit for bit."""
    arrays = {}
    for name, weight in trainer.policy.named_parameters():
        arrays[f"weight.{name}"] = weight.detach().numpy().copy()
        for key, value in trainer.adam.state.get(weight, {}).items():
            arrays[f"{key}.{name}"] = value.numpy().copy()
    return arrays


def unpack_trainer(trainer: Trainer, arrays: Mapping[str, np.ndarray]) -> None:
    """Put back what :func:`packed_trainer` gave.

    Raises:
        KeyError, RuntimeError: it is of another policy.
    """
    with torch.no_grad():
        for name, weight in trainer.policy.named_parameters():
            weight.copy_(torch.from_numpy(arrays[f"weight.{name}"]))
            moments = {key: arrays.get(f"{key}.{name}") for key in ("step", "exp_avg", "exp_avg_sq")}
            if all(value is not None for value in moments.values()):
                trainer.adam.state[weight] = {key: torch.tensor(value) for key, value in moments.items()}
