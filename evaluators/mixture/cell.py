"""The cell: the mixture itself, one function that all places of a network share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from evaluators.mixture.bounded import bounded
from evaluators.mixture.settings import MixtureSettings
from evaluators.mixture.space import Space, form_of
from evaluators.seeds import torch_generator
from primitives.analysis.gaussian import normal_grid
from primitives.expression.evaluation import Program, compiled
from primitives.expression.parameters import Parameter
from primitives.grammars.patterns import Rule
from primitives.layers.traced import without_autocast

SPREAD = 0.25  # of a rule's parameters at the start: beta is drawn from N(1, 0.25)
LARGEST_ALPHA = 1e-6  # at the start
_GRID = 400  # points at which the mixture's own scale is taken
_LEAST = 1e-3  # concentration


@final
class Operator(nn.Module):
    """One rule in one slot, bounded, with parameters of its own.

    Args:
        rule: of the grammar.
        generator: draws the initial values of its parameters, N(p, (p/4)^2) for one that starts at p.
    """

    def __init__(self, rule: Rule, generator: torch.Generator) -> None:
        super().__init__()
        self.program: Program = compiled((bounded(rule.pattern),), pairs=rule.pattern.is_paired)
        for leaf in (leaf for leaf in rule.leaves if isinstance(leaf, Parameter)):
            drawn = leaf.initial * (1 + SPREAD * torch.randn((), generator=generator, device="cpu"))
            self.register_parameter(leaf.name, nn.Parameter(drawn))

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """The value at as many tensors of one shape as the rule takes."""
        values = dict(zip(("a", "b"), inputs, strict=False))
        values |= {name: p.to(inputs[0].dtype) for name, p in self.named_parameters()}
        return self.program.run(inputs[0], values)[0]


@final
class Cell(nn.Module):
    """A weighted sum of operators in each slot of a form.

    Each call draws weights of its own where they are drawn. The weights of a slot are positive and sum to 1.

    Args:
        space: the form and the rules.
        settings: of the training.
        seed: of the initial values.
        unit: divide by the root of the second moment under a standard normal, as a candidate of unit scale is.

    Attributes:
        alphas: one vector for each slot, in prefix order; what was dropped keeps its entry.
        alive: the numbers of the rules that are left in each slot, increasing.
        step: of the training, for the temperature.
        drawing: weights are drawn; else they are the means of what is drawn.
    """

    z: Tensor
    density: Tensor

    def __init__(self, space: Space, settings: MixtureSettings, seed: int, *, unit: bool = False) -> None:
        super().__init__()
        generator = torch_generator(seed, "mixture")
        self.form, self.settings, self.unit = form_of(space), settings, unit
        slots = [rules for rules in self.form.choices if rules[0].arity]
        self.alphas = nn.ParameterList(
            LARGEST_ALPHA * torch.rand(len(rules), generator=generator, device="cpu") for rules in slots
        )
        self.operators = nn.ModuleList(nn.ModuleList(Operator(rule, generator) for rule in rules) for rules in slots)
        self.alive = [list(range(len(rules))) for rules in slots]
        self.step, self.drawing = 0, True
        z, weights = normal_grid(_GRID)
        self.register_buffer("z", z.float())
        self.register_buffer("density", weights.float())

    @property
    def drops(self) -> int:
        """How many operators have to go until one is left in each slot."""
        return sum(len(left) - 1 for left in self.alive)

    def alphas_left(self) -> list[dict[int, float]]:
        """For each slot the alphas of the operators that are left, by number."""
        return [
            {number: values[number] for number in left}
            for values, left in zip((alphas.tolist() for alphas in self.alphas), self.alive, strict=True)
        ]

    def drop(self, slot: int, number: int) -> None:
        """Take an operator away."""
        self.alive[slot].remove(number)

    @property
    def chosen(self) -> tuple[int, ...]:
        """For each slot the operator of highest alpha that is left, by number."""
        return tuple(max(left, key=lambda number: (left[number], -number)) for left in self.alphas_left())

    def weights(self, slot: int) -> Tensor:
        """The weights of the operators that are left in a slot, shape (operators,), differentiable in alpha."""
        alphas = self.alphas[slot][self.alive[slot]]
        if len(alphas) == 1:
            return torch.ones_like(alphas)
        if self.settings.weights == "softmax":
            return torch.softmax(alphas / self.settings.temperature(self.step), 0)
        concentration = (nn.functional.elu(alphas) + 1).clamp(min=_LEAST)
        if not self.drawing:
            return concentration / concentration.sum()
        drawn: Tensor = torch.distributions.Dirichlet(concentration, validate_args=False).rsample()
        return drawn

    def forward(self, x: Tensor) -> Tensor:
        """The mixture of ``x``, elementwise: the same shape and dtype."""
        with without_autocast(x):
            weights = [self.weights(slot) for slot in range(len(self.alphas))]
            if not self.unit:
                return self._sums(x, weights)
            both = self._sums(torch.cat([x.flatten(), self.z.to(x.dtype)]), weights)
            value, on_grid = both[: x.numel()], both[x.numel() :].float()
            second = (self.density * on_grid.square()).sum()
            usable = torch.isfinite(second) & (second > torch.finfo(torch.float32).tiny)
            factor = torch.where(usable, second, 1.0).rsqrt()
            return (value * factor.to(x.dtype)).view_as(x)

    def _sums(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """The value of the first place, inputs before users: the last place first."""
        values: dict[int, Tensor] = {}
        slot = len(self.alphas)
        for at in reversed(range(len(self.form.choices))):
            starts = self.form.starts(at)
            if not starts:
                values[at] = x
                continue
            slot -= 1
            inputs = [values.pop(start) for start in starts]
            values[at] = self._sum(slot, inputs, weights[slot].to(x.dtype))
        return values[0]

    def _sum(self, slot: int, inputs: Sequence[Tensor], weights: Tensor) -> Tensor:
        values: list[Tensor] = [self.operators[slot][number](inputs) for number in self.alive[slot]]  # type: ignore[index]
        if len(values) == 1:
            return values[0]
        return torch.stack([weight * value for weight, value in zip(weights, values, strict=True)]).sum(0)
