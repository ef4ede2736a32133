"""Tasks that bring a training loop of their own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

from torch import nn

from evaluators.tasks.base import Part, Task


class LoopTask(Task):
    """A task whose models are trained by the user's own loop, one after the other.

    ``network``, ``prepare``, ``name``, ``initial``, ``scale``, ``pretrained``, ``replaced``, ``loss_floor``,
    ``chance``, ``learning_rates``, ``direction``, ``compare``, ``unit``, ``gain_scale`` and ``larger`` mean what they
    mean in :class:`Task`; the loop yields the values that are judged, and neither ``metric`` nor ``readings`` is
    called; batches, optimiser, schedule and clip are the loop's. ``data`` is asked for once, for one batch that is
    shown to the network; the loop may take its examples from there, divided by :func:`evaluators.tasks.base.split`, or
    from anywhere else.
    ``test_ratio`` is test examples to training examples in confirmation, where each seed divides the same examples
    anew; 0 where no two seeds share test examples, or the gain is meant on these very test examples.
    """

    @abstractmethod
    def fit(self, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        """Train one model: a generator that yields a value at each rung, the end included.

        Where the candidate is rejected, the generator is not resumed after its ``yield``. ``torch``'s global random
        numbers are the model's own, seeded from ``seed``.

        Args:
            network: with the candidate in its places and the seed's initial weights.
            part: ``"search"`` or ``"confirmation"``, whose examples must be others.
            seed: decides the division of the examples and their order; the same for all candidates and controls.
            rate: a learning rate out of ``learning_rates`` or of the config.
            rung_steps: steps, increasing, at which the value on validation examples is yielded, the mean loss
                or a metric; the last is the end. In confirmation one number more follows: the value on test examples.
        """
