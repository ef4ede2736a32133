"""Which of f(-x), -f(x) and -f(-x) a task takes for f: they train alike, from weights that are as likely."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from evaluators.machine.backend import Backend
from evaluators.places.each_place import kinds_of
from evaluators.places.survey import find_sites
from evaluators.places.watching import undisturbed
from evaluators.symmetry.law import as_likely_negated
from evaluators.symmetry.tracing import Contradiction, Tracing, Turned
from evaluators.tasks.base import BLOCK, Part, Task
from evaluators.tasks.examples import Examples, examples_of
from evaluators.tasks.loop_task import LoopTask
from evaluators.training.calling import call
from evaluators.training.initialisation import initial_network, prepares
from evaluators.training.light import LightModel
from evaluators.training.randomness import begin_step, own_random_numbers
from primitives.ending import contained
from primitives.equivalence.signs import SIGNS, Signed, sign_orbit
from primitives.expression.parsing import parse

_STEPS = 3
_TOLERANCE = 1e-9  # of a loss in float64; by the wrong signs losses differ from the first digits on
_DOUBLE = Backend(dtype=torch.float64)
#: Neither even nor odd, nor even or odd but for a constant.
_GENERIC = parse("elu(x)+0.3*cos(x)")


@dataclass(frozen=True, slots=True)
class Signs:
    """What a task takes for f.

    Args:
        held: of ``"mirrored"``, ``"negated"`` and ``"point-reflected"``, in this order; two of them make the third.
        why_not: for people, by the name of each of the others.
    """

    held: tuple[str, ...]
    why_not: Mapping[str, str] = field(default_factory=dict)


def signs_of(task: Task, part: Part = "search") -> Signs:
    """Find which of f(-x), -f(x) and -f(-x) train like f in every place of a task's network, in law.

    For each, signs of the weights are sought that make the same network of it; only tensors may change sign whose
    initial law is symmetric about 0. Then a function that is neither even nor odd and its image are trained for three
    steps in float64, from weights of these signs, and must have the same losses to 1e-9, and in eval mode the same
    output. What cannot be found out does not hold. Takes some 0.1 s for a small network.

    Args:
        task: under the conditions that hold.
        part: the part of the data that its first examples are taken from.
    """
    if isinstance(task, LoopTask):
        return _none("what its own loop does is not known")
    if prepares(task):  # a mask, for one, may keep the positive weights
        return _none("whether what its prepare() does hangs on signs is not known")
    if task.pretrained and task.initial == "own":
        return _none("its weights are the same for every seed")
    if kinds_of(task) != ("pointwise",):
        return _none("its places are not all of functions of one number")
    try:
        with own_random_numbers(), contained():
            return _found(task, part)
    except Exception as error:  # a user's network may fail in any way; then it trains as if nothing were known
        return _none(f"the test fails: {str(error) or type(error).__name__}"[:200])


def _none(why: str) -> Signs:
    return Signs((), dict.fromkeys(SIGNS, why))


def _found(task: Task, part: Part) -> Signs:
    likely = as_likely_negated(task)
    if not likely:
        return _none("none of its weights is as likely with the other sign")
    held, why_not = [], {}
    expected = _trained(task, part, sign_orbit(_GENERIC)[0], ())
    for image in sign_orbit(_GENERIC)[1:]:
        try:
            negated = _negated(task, part, image, likely)
        except Contradiction as where:
            why_not[image.said] = f"no signs of the weights that are as likely undo it: it meets {where.operator}"
            continue
        if _same(_trained(task, part, image, negated), expected) and not _same(
            _trained(task, part, image, ()), expected
        ):
            held.append(image.said)
        else:
            why_not[image.said] = f"from weights of other signs ({', '.join(negated) or 'none'}) it trains differently"
    return Signs(tuple(held), why_not)


def _negated(task: Task, part: Part, image: Signed, likely: Collection[str]) -> tuple[str, ...]:
    """The tensors to negate so that the image of a function does what the function did.

    Raises:
        Contradiction: there are none.
    """
    network = initial_network(task, 0)
    _DOUBLE.move(network)
    inputs = _examples(task, part).rows(slice(BLOCK)).inputs
    sites = find_sites(network, task, inputs)
    named = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    tracing = Tracing(named, likely, int(image.inner < 0), int(image.outer < 0))
    for site in sites:
        site.put(Turned(tracing))
    with undisturbed(network), torch.no_grad():
        begin_step(0, 0)
        with tracing:
            tracing.at_end(call(network.train(), inputs))
    return tracing.found()


def _examples(task: Task, part: Part) -> Examples:
    """The first examples, some two batches."""
    return examples_of(task, part).rows(slice(max(2 * task.batch_size, 2 * BLOCK))).mapped(_DOUBLE.place)


def _trained(task: Task, part: Part, image: Signed, negated: Sequence[str], *, steps: int = _STEPS) -> list[float]:
    """Losses of some steps, and one in eval mode behind them."""
    rate = task.learning_rates[0]
    examples = _examples(task, part)
    model = LightModel(
        task, part, image.expression, seed=0, rate=rate, steps=_STEPS, backend=_DOUBLE, examples=examples
    )
    tensors = model.tensors()
    _fill_zeros(tensors)
    with torch.no_grad():
        for name in negated:
            tensors[name].neg_()
    losses = model.advance(steps)
    with torch.no_grad():
        begin_step(0, "validation")
        return [*losses, float(model.losses(model.order[0]).mean())]


@torch.no_grad()
def _fill_zeros(tensors: Mapping[str, Tensor]) -> None:
    """Let parameters that begin as 0, biases most of all, be something, so that their signs show."""
    generator = torch.Generator("cpu").manual_seed(0)
    for tensor in tensors.values():
        if tensor.requires_grad and tensor.is_floating_point() and not tensor.any():
            tensor.normal_(std=0.1, generator=generator)


def _same(losses: Sequence[float], expected: Sequence[float]) -> bool:
    pairs = list(zip(losses, expected, strict=True))
    return all(math.isfinite(a) and abs(a - b) <= _TOLERANCE * max(abs(a), abs(b)) for a, b in pairs)
