"""Bounds of the Lipschitz constant of a trained network: how far its outputs may move with its inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import cycle

import torch
from torch import Tensor

from evaluators.errors import TaskError
from evaluators.objectives.formula.base import UNBOUNDED, not_pointwise
from evaluators.objectives.formula.lipschitz import steepest
from evaluators.objectives.measured import EXAMPLES, MeasuredObjective, examples
from evaluators.tasks.examples import tensors
from evaluators.training.initialisation import factor_in
from evaluators.training.models import Models
from primitives.equivalence.kinds import plainest
from primitives.expression.derivative import derivative
from primitives.expression.evaluation import evaluate
from primitives.expression.expression import Expression, at_place, with_values

EDGE, POINTS, STEEPEST = 50.0, 4_001, 2  # the grid, and how many channels are looked at beyond it
WIDEST = 2_048  # numbers between two places: the matrix of a model with as many on both sides takes 16 MiB
OTHER = "lipschitz_lower takes any network"
STRAIGHT = 1e-3  # of what a map makes of random numbers: float32 leaves 1e-6


class LipschitzLower(MeasuredObjective):
    """The largest singular value of the Jacobian of the outputs by the inputs over up to 256 validation examples.

    No smaller number is a Lipschitz constant of the network, in Euclidean norms. Outputs are as the loss takes them,
    logits of classes, inputs as the task has them. The mean over the seeds. It takes a backward pass for each output.
    """

    name = "lipschitz_lower"
    unit = "outputs per input"
    direction = "minimize"
    formula = "largest singular value of the Jacobian over up to 256 validation examples"
    source = "Khromov and Singh 2024, arXiv:2302.10886"

    def check(self, models: Models) -> None:
        _numbers_in(self.name, models, 1)

    def measure(self, models: Models) -> Tensor:
        x = _numbers_in(self.name, models, EXAMPLES).clone().requires_grad_()
        with torch.enable_grad():
            columns = _flat_output(models, x).unbind(dim=2)
            rows = [torch.autograd.grad(each.sum(), x, retain_graph=True)[0] for each in columns]
        jacobians = torch.stack([row.flatten(2) for row in rows], dim=2).double()
        return _norms(jacobians).amax(dim=1).mean()


class LipschitzUpper(MeasuredObjective):
    """The product of the spectral norms of all that is linear between the places, and of sup |f'| in each place.

    It bounds the Lipschitz constant where the layers form a chain: from the input to the first place, from place to
    place and from the last one to the output there is one affine map, made of linear layers, convolutions, means and
    such. Other networks are refused. The norms are those of the maps as a whole, padding and stride included. f is as
    the network applies it, with what it has learned; its slope counts as 1e6 where it has no bound. The mean over the
    seeds. There is no number for layers with statistics and gates, nor for a network as it stands.
    """

    name = "lipschitz_upper"
    unit = "outputs per input"
    direction = "minimize"
    formula = "product of the spectral norms of the affine maps and of sup |f'| in each place; for chains of layers"
    source = "Szegedy et al. 2014, arXiv:1312.6199, section 4.3"

    def lacks(self, expression: Expression) -> str:
        return not_pointwise(expression)

    def check(self, models: Models) -> None:
        """Refuse networks that are no chain of layers.

        Raises:
            TaskError: it is none, or wider than 2,048 numbers somewhere; the message says where.
        """
        _sizes(self.name, models)

    def measure(self, models: Models) -> Tensor:
        expression = models.members[0].expression
        if expression is None or self.lacks(expression):
            return torch.tensor(math.nan, dtype=torch.float64, device="cpu")
        bounds = _slopes(models, expression)
        for matrices in _matrices(models, _sizes(self.name, models)):
            bounds = bounds * _norms(matrices.double().cpu())
        return bounds.mean()


def _numbers_in(name: str, models: Models, rows: int) -> Tensor:
    """Inputs of some validation examples of each slice, shape (slices, rows, ...)."""
    inputs = models.at(examples(models)[:, :rows]).inputs
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
        came = inputs.dtype if isinstance(inputs, Tensor) else f"a {type(inputs).__name__}"
        raise TaskError(f"task {models.task.name!r}: {name}: expected floating point inputs, got {came}")
    return inputs.detach()


def _flat_output(models: Models, inputs: Tensor) -> Tensor:
    """All outputs of each example in a row, shape (slices, batch, outputs)."""
    return torch.cat([part.flatten(2) for part in tensors(models.outputs(inputs))], dim=2)


def _slopes(models: Models, expression: Expression) -> Tensor:
    """The product over the places of sup |f'|, with what each model has learned there; float64, shape (slices,)."""
    learned = models.learned()
    product = torch.ones(models.width, dtype=torch.float64, device="cpu")
    for number, values in enumerate(learned):
        function = plainest(at_place(expression, number, len(learned)))
        own = {name: value.detach().double().cpu() for name, value in values.items()}
        steep = [_steepest(function, {name: value[row] for name, value in own.items()}) for row in range(len(product))]
        slopes = factor_in(models.task, function) * torch.tensor(steep, dtype=torch.float64, device="cpu")
        product *= slopes.clamp(max=UNBOUNDED)
    return product


def _steepest(function: Expression, values: Mapping[str, Tensor]) -> float:
    """sup |f'| at the parameters of one model, of the channels the largest; NaN at what is not finite.

    Of channels the two that are steepest on a grid are looked at in full, which takes 10 ms each.
    """
    if not values:
        return _sup(function)
    channels = torch.stack(torch.broadcast_tensors(*(value.reshape(-1) for value in values.values())), dim=1)
    if not channels.isfinite().all():
        return math.nan
    grid = torch.linspace(-EDGE, EDGE, POINTS, dtype=torch.float64, device="cpu")[:, None]
    by_name = dict(zip(values, channels.unbind(dim=1), strict=True))
    (slopes,) = evaluate((derivative(function),), grid, {**function.initial_values, **by_name})
    heights = slopes.abs().nan_to_num(math.inf).expand(POINTS, len(channels)).amax(dim=0)
    rows = channels[heights.topk(min(STEEPEST, len(channels))).indices].tolist()
    return max(_sup(with_values(function, dict(zip(values, row, strict=True)))) for row in rows)


@lru_cache(maxsize=1024)
def _sup(function: Expression) -> float:
    return steepest(function)


def _sizes(name: str, models: Models) -> tuple[int, ...]:
    """How many numbers enter each affine map of a chain: those of the input, then of each place's output.

    The outputs of all places are replaced by numbers of their own; so what reaches a place comes from there alone, and
    is affine if it adds up.

    Raises:
        TaskError: something else than the place before reaches a place, or not by an affine map; or too many numbers.
    """
    place = f"task {models.task.name!r}: {name}"
    start = _four(_numbers_in(name, models, 4))
    cuts: list[Tensor] = []
    ends: list[Tensor] = []

    def cut(x: Tensor, output: Tensor) -> Tensor:
        if output.shape[1] != start.shape[1]:
            raise TaskError(f"{place}: expected places that are called with the examples as rows; {OTHER}")
        ends.append(x)
        cuts.append(_four(output.detach()))
        return cuts[-1]

    with torch.enable_grad(), models.altered(cut):
        output = _flat_output(models, start)
    groups = _groups(models, ends)
    for own, leaves, last in zip(groups, _groups(models, cuts), output.chunk(len(groups)), strict=True):
        _check_chain(place, [start, *leaves], [*own, last])
    sizes = tuple(each.flatten(2).shape[2] for each in (start, *_groups(models, cuts)[0]))
    if max(sizes) > WIDEST:
        raise TaskError(f"{place}: expected at most {WIDEST:,} numbers between two places, got {max(sizes):,}")
    return sizes


def _groups(models: Models, calls: Sequence[Tensor]) -> list[Sequence[Tensor]]:
    """Tensors of the places' calls, model by model where models are called one by one, else all in one group."""
    count = models.width // calls[0].shape[0]
    size = len(calls) // count
    return [calls[first * size : (first + 1) * size] for first in range(count)]


def _check_chain(place: str, cuts: Sequence[Tensor], ends: Sequence[Tensor]) -> None:
    """Refuse networks in which an end does not come from its cut alone, or not by an affine map."""
    for number, end in enumerate(ends):
        reached = torch.autograd.grad(end.sum(), cuts, retain_graph=True, allow_unused=True)
        where = f"what enters place {number + 1}" if number < len(ends) - 1 else "the output"
        if [index for index, gradient in enumerate(reached) if gradient is not None] != [number]:
            raise TaskError(
                f"{place}: expected a chain of layers, but {where} does not come from the place before it alone; "
                f"{OTHER}"
            )
        if not _adds_up(end.detach().flatten(2).double()):
            raise TaskError(
                f"{place}: expected linear layers and convolutions between the places, but {where} is no affine map of "
                f"what leaves the place before it; {OTHER}"
            )


def _four(like: Tensor) -> Tensor:
    """Four examples in a tensor's shape, a leaf: zeros, two of random numbers, and the sum of these."""
    generator = torch.Generator("cpu").manual_seed(0)
    shape = (like.shape[0], 2, *like.shape[2:])
    two = torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu").to(like)
    return torch.cat([torch.zeros_like(two[:, :1]), two, two.sum(dim=1, keepdim=True)], dim=1).requires_grad_()


def _adds_up(ends: Tensor) -> bool:
    """Whether a map of the four examples is affine, shape (slices, 4, numbers); where it is NaN nobody can say."""
    start, one, other, both = ends.unbind(dim=1)
    off = (both - one - other + start).abs().amax()
    return not bool(off > STRAIGHT * (one - start).abs().amax())


def _matrices(models: Models, sizes: Sequence[int]) -> list[Tensor]:
    """The matrices of a chain's affine maps, transposed, each of shape (slices, numbers in, numbers out)."""
    left = cycle(sizes[1:])
    ends: list[Tensor] = []

    def unit(like: Tensor, size: int) -> Tensor:
        """Zeros and the unit vectors as a batch of the examples' shape."""
        rows = torch.eye(1 + max(sizes), 1 + size, dtype=like.dtype, device=like.device)[:, 1:]
        return rows.reshape(1, -1, *like.shape[2:]).repeat(like.shape[0], *[1] * (like.dim() - 1))

    def replace(x: Tensor, output: Tensor) -> Tensor:
        ends.append(x)
        return unit(output, next(left))

    with torch.no_grad(), models.altered(replace):
        output = _flat_output(models, unit(_numbers_in("matrices", models, 1), sizes[0]))
    places = [torch.cat(of_models) for of_models in zip(*_groups(models, ends), strict=True)]
    flat = [end.flatten(2) for end in (*places, output)]
    return [end[:, 1 : 1 + size] - end[:, :1] for size, end in zip(sizes, flat, strict=True)]


def _norms(matrices: Tensor) -> Tensor:
    """Spectral norms of float64 matrices, shape (..., n, m); NaN where one is not finite, of which LAPACK fails."""
    whole = matrices.isfinite().all(dim=-1).all(dim=-1)
    norms: Tensor = torch.linalg.matrix_norm(matrices.nan_to_num(0.0, 0.0, 0.0), ord=2)
    return norms.masked_fill(~whole, math.nan)
