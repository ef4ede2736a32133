"""A task: data, a network, a loss. Shipped tasks and a user's own are subclasses of :class:`Task`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.privacy.settings import Privacy
from evaluators.seeds import torch_generator
from evaluators.tasks.cross_entropy import cross_entropy
from evaluators.tasks.optimisers import Optimiser
from evaluators.tasks.place import Match, Place
from evaluators.tasks.readings import accuracy
from evaluators.training.schedules import RateSchedule

#: What the examples are for: the parts of a task's data share none.
Part = Literal["search", "confirmation"]
#: The share of a part's examples that a loss is taken on, after training on the rest.
HeldOut = Literal["validation", "test"]
#: Which values of a metric are better.
Direction = Literal["minimise", "maximise"]
#: How a value is compared with the reference's: by the logarithm of their ratio, or by their difference.
Compare = Literal["ratio", "difference"]

#: What a network is called with, one example a row: a tensor, or a tuple or dict of tensors, for ``network(x)``,
#: ``network(*parts)``, ``network(**parts)``. A union would need a test at every use; data is checked where it comes in.
Inputs = Any

#: What a candidate takes the place of.
Replaced = tuple[Match | Place, ...]

BLOCK = 32  # batches are multiples of it: then no bit of a slice depends on the stack around it


class Task(ABC):
    """What candidates are judged on.

    Attributes:
        name: name in configs and results; a class in a file that has none gets the class's.
        batch_size: examples per step, a multiple of 32.
        learning_rates: the default grid.
        steps: the default full budget.
        loss_floor: smaller losses count as this one, so that a gain cannot grow without bound.
        chance: loss of a network that has learnt nothing, or None.
        replaced: what the candidate takes the place of: types of modules, patterns of names in the network, such as
            ``"features.*.act"`` or ``"layers.0.relu#1"``, and functions, such as ``F.relu``. None: modules and calls
            that are like ReLU; where there are none, those like tanh. ``Place(either, channel_dim=1)``
            says where inputs have channels, ``Place(either, kind="gate")`` what the candidate is there.
            ``actsearch places`` lists all.
        optimiser: ``"adam"``, ``"adamw"`` or ``"sgd"`` (momentum 0.9), or settings: ``AdamW(weight_decay=0.05)``,
            ``SGD(momentum=0.95, nesterov=True)``. Decay spares the candidate's own parameters.
        schedule: of the learning rate, ``"constant"``, ``"cosine"`` or ``"one-cycle"``, or settings:
            ``Cosine(warmup=0.1)``, ``Constant(warmup=50)``, ``OneCycle(peak_at=0.2)``.
        clip: largest norm of a model's gradient, the mean one of a step, or None.
        accumulate: batches per step; the step's gradient is the mean of theirs.
        label_smoothing: of the default loss, in validation and test, too.
        class_weights: of the default loss, in validation and test, too: each example's loss is weighted, and their
            plain mean is taken. torch's weighted mean divides by the sum of the weights instead.
        initial: what the weights begin as: ``"own"``, as :meth:`network` makes them, or ``"drawn"``, normals of
            deviation 1/sqrt(fan in); see :func:`evaluators.training.initialisation.initial_network`.
        scale: of the candidate f: ``"none"``, f as it is, ``"unit"``, f / sqrt(E f(z)^2) for a standard normal z, or
            ``"critical"``, f(s x) / sqrt(E f(s z)^2), s such that gradients keep their size
            (:func:`primitives.analysis.critical.critical_scale`).
        pretrained: the weights are the same for every seed, and are meant to be.
        direction: which values of :meth:`metric` are better, ``"minimise"`` or ``"maximise"``.
        compare: ``"ratio"``, of positive values, smaller ones better: gains are in nats. ``"difference"``: gains are in
            the metric's own unit; there is no floor, and nothing is rejected as stuck or far below, which need a ratio.
        unit: of the metric, shown with gains that are differences.
        gain_scale: a difference of so much counts as much as a gain of 1 nat; None: gains of differences are not
            averaged with nats.
        test_ratio: test examples to training examples in confirmation, where the task has a loop of its own or says
            what is :meth:`held_out`, and the examples are the same for all seeds; intervals and p-values allow for what
            the seeds then share. 0: they are about these data alone.
        reference: what candidates are compared with: ``"current"``, the network as it stands, or ``"relu"``, ReLU in
            the candidate's places, or the first control of their kind. The shipped tasks have ReLU.
        split_seed: what the examples are divided by, for all models alike; None: by each model's seed. A job sets it
            where an objective compares models of several seeds, see :func:`with_one_split`.
    """

    name: str = ""
    batch_size: int = 64
    learning_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    steps: int = 400
    loss_floor: float = 1e-4
    chance: float | None = None
    replaced: Replaced | None = None
    optimiser: str | Optimiser = "adam"
    schedule: str | RateSchedule = "constant"
    clip: float | None = None
    accumulate: int = 1
    label_smoothing: float = 0.0
    class_weights: Sequence[float] | None = None
    initial: str = "own"
    scale: str = "none"
    pretrained: bool = False
    direction: Direction = "minimise"
    compare: Compare = "ratio"
    unit: str = ""
    gain_scale: float | None = None
    test_ratio: float = 0.0
    reference: str = "current"
    split_seed: int | None = None

    @abstractmethod
    def network(self) -> nn.Module:
        """A new network, an ordinary module, made under the model's seed; its weights are where training begins.

        Its models are trained in a stack if they can be, else one at a time. Derivatives of its output, by coordinates
        or by each example, are taken within it, by ``torch.func`` in reverse mode.
        """

    def prepare(self, network: nn.Module, seed: int) -> None:
        """Change a network that was just made, in place, to what its training begins with. Default: it stays.

        Called once for each network, on the CPU, before a candidate is put in: behind :meth:`network`, and behind the
        drawing of weights where ``initial`` is ``"drawn"``. For weights from a file, for pruning
        (``torch.nn.utils.prune``, ``torch.nn.utils.parametrize``, masks in buffers), for parameters that are to be
        frozen. Two calls with one seed must make the same bits; torch's global random numbers are seeded for each. The
        names of parameters and buffers, and the places, must be the same for all seeds. Tensors that are kept for the
        next network must be copied into this one: ``load_state_dict`` does so, unless ``assign=True``.

        Args:
            network: as :meth:`network` made it, with the weights of the seed.
            seed: the model's, from 0 to 2**63 - 1; a job derives its seeds from its own and takes more as it needs.

        Raises:
            Exception: any; the command ends with its message, file and line.
        """
        return

    @abstractmethod
    def data(self, part: Part) -> tuple[Inputs, Inputs] | Any:
        """Inputs and targets, first dimension the examples, of a part: ``"search"`` or ``"confirmation"``.

        Each is a tensor, or a tuple or dict of tensors. Or a ``Dataset`` of pairs, which is read as a whole, once. The
        parts share no example.
        """

    def held_out(self, part: Part) -> tuple[Inputs, Inputs] | Any | None:
        """The examples that validate and test, where they are others than a share of :meth:`data`. Default: None.

        For what is asked beside the data: extrapolation, a grid with the exact values, a benchmark's own validation
        set. All of ``data`` trains then. In the search all of these validate, in confirmation one half validates and
        the other tests, divided at random by seed. Intervals say what other seeds would give on these very examples,
        see ``test_ratio``.

        Returns:
            What :meth:`data` may return, in its form: tensors of the same shapes, but for the first dimension, and
            dtypes.
        """
        return None

    def order(self, targets: Inputs, steps: int, seed: int) -> Tensor | None:
        """Which examples each batch of the training has. Default: None, a new permutation in each epoch.

        For data that comes in an order: a class after the other, easy examples first, a stream. An example may come
        several times, in one batch, too: eight examples four times each are a batch of eight.

        Args:
            targets: of the training examples of the seed, on the CPU, in the form of :meth:`data`.
            steps: batches of the whole training; where ``accumulate`` is above 1, that many for each step.
            seed: the model's: draw from it alone, so that candidates and controls see the same.

        Returns:
            Whole numbers, which count ``targets`` from 0, of shape (steps, batch), the batch a multiple of 32; all
            seeds have one shape.
        """
        return None

    def privacy(self, steps: int) -> Privacy | None:
        """Clip, noise and sampling of a private training of so many steps. Default: None, it is not private.

        Gradients are then those of each example, clipped before they are summed, and noise is added. Batches are drawn
        as :class:`evaluators.privacy.settings.Privacy` says, so ``batch_size`` counts in evaluation alone,
        :meth:`order` is not asked for, and ``accumulate`` is 1. The network must take each example by itself: BatchNorm
        is refused. :func:`evaluators.privacy.accountant.noise_for` gives the noise for an epsilon.
        """
        return None

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Loss of each example, shape (batch,).

        Default: cross-entropy in nats of logits, whose last dimension are the classes; of tokens, shape (batch,
        tokens, classes), the mean over them.
        """
        logits, labels = output.flatten(0, -2), target.flatten()
        place = f"task {self.name!r}"
        losses = cross_entropy(logits, labels, smoothing=self.label_smoothing, weights=self.class_weights, place=place)
        return losses.view(target.shape).flatten(1).mean(dim=1) if target.dim() > 1 else losses

    def metric(self, output: Tensor, target: Tensor) -> Tensor:
        """What is judged of one model: outputs and targets of its whole held-out set, float32 unless the job's differ.

        Default: the loss. Returns values of shape (examples,), whose mean counts, or one number without a dimension,
        such as an AUC. ``direction`` and ``compare`` say how it is compared.
        """
        return self.loss(output, target)

    def readings(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Numbers that readers know, by name, of one model, as :meth:`metric` takes it: beside gains, never judged.

        Taken in confirmation, on the test set. Default: the accuracy where the loss and the metric are the default
        ones, else nothing. What a metric or a loop judges is read by its ``unit``, too. Others are in
        :mod:`evaluators.tasks.readings`.

        Returns:
            Values of shape (examples,), whose mean counts, or one number without a dimension.
        """
        plain = type(self).loss is Task.loss and type(self).metric is Task.metric
        return {"accuracy": accuracy(output, target)} if plain else {}

    def divided(self, examples: int, part: Part, seed: int, held_out: int = 0) -> Split:
        """How a model of some seed has a part's examples divided, see :func:`split`."""
        return split(examples, part, seed if self.split_seed is None else self.split_seed, held_out)

    def larger(self) -> Task | None:
        """The same data with a network that the search never sees, for confirmation."""
        return None


@dataclass(frozen=True, slots=True)
class Split:
    """Indices into a part's examples for one seed; no example is in two of them."""

    train: Tensor
    validation: Tensor
    test: Tensor


def split(examples: int, part: Part, seed: int, held_out: int = 0) -> Split:
    """Divide a part's examples at random.

    Where the last ``held_out`` of them are a set of their own (:meth:`Task.held_out`), the others train; of these all
    validate in the search, and in confirmation a half validates and a half tests. Otherwise:

    In the search 30 % validate and none test. In confirmation 15 % validate and 15 % test: as many train, and the
    smaller the test sets are, the less those of two seeds share (:func:`evaluators.statistics.standard_error`).

    Sizes of both from 32 on are rounded down to multiples of 32. Below, all are taken: the stack fills a batch up to
    32 with copies that do not count. At least 32 examples must remain to train with (see :func:`batches`): 45 in the
    search, 44 in confirmation.
    """
    order = torch.randperm(held_out or examples, generator=torch_generator(seed, "split", part), device="cpu")
    shares = (0.30, 0.0) if part == "search" else (0.15, 0.15)
    if held_out:
        order += examples - held_out
        shares = (1.0, 0.0) if part == "search" else (0.5, 0.5)
    validation, test = (_whole_blocks(int(share * len(order))) for share in shares)
    train = torch.arange(examples - held_out, device="cpu") if held_out else order[validation + test :]
    return Split(train, order[:validation], order[validation : validation + test])


def with_one_split(task: Task, seed: int) -> Task:
    """The task with its examples divided by ``seed`` for all models; their weights and batches stay their own."""
    changed = copy(task)
    changed.split_seed = seed
    return changed


def _whole_blocks(size: int) -> int:
    return size if size < BLOCK else size // BLOCK * BLOCK


def batches(train: Tensor, steps: int, batch_size: int, seed: int) -> Tensor:
    """Indices of every batch, shape (steps, batch_size): a new permutation each epoch, the remainder left out.

    Raises:
        TaskError: there are fewer training examples than the smallest batch has.
    """
    generator = torch_generator(seed, "order")
    if len(train) < BLOCK:
        raise TaskError(f"training examples: expected at least {BLOCK}, got {len(train)}")
    size = min(batch_size, len(train) // BLOCK * BLOCK)
    per_epoch = len(train) // size
    epochs = -(-steps // per_epoch)
    orders = [torch.randperm(len(train), generator=generator, device="cpu")[: per_epoch * size] for _ in range(epochs)]
    return train[torch.cat(orders)].view(-1, size)[:steps]
