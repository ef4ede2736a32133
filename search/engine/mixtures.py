"""The mixtures of a job: its workers train them when its strategy asks for some, and each is a file of its own.

A mixture is a function of its request, and so of the config and the seed that the strategy has drawn. A resumed job
asks for the same ones again and takes them from their files; one that was under way is trained from its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile

from evaluators.machine.running import seconds_run
from evaluators.mixture.request import MixtureRequest, MixtureResult
from evaluators.seeds import derive
from evaluators.tasks import task
from evaluators.training.member import Schedule
from search.config import Config
from search.records.trace_entry import TraceEntry
from search.storage.mixture_files import keep_mixture, mixtures_of, whole_mixture
from search.storage.run_folder import RunFolder
from search.strategies.base import MixtureOrder
from search.workers import Finished, Workers


class DrainedError(Exception):
    """The workers were told to end while a mixture was waited for."""


class Mixtures:
    """Trains what a strategy orders, or reads it, as far as the budget goes.

    Args:
        config: the job.
        workers: train the mixtures, and cohorts meanwhile.
        folder: of the run; without one nothing is kept.
        arrived: is given each cohort that is trained meanwhile.

    Attributes:
        counted: the candidate-trainings that the mixtures of the present plan count as.
        waited: seconds that they were waited for.
        refused: some could not be paid.
    """

    def __init__(
        self, config: Config, workers: Workers, folder: RunFolder | None, arrived: Callable[[Finished], object]
    ) -> None:
        self.refused = False
        self._config, self._workers, self._folder, self._arrived = config, workers, folder, arrived
        self._submitted, self._left, self._used, self.counted, self.waited = 0, 0.0, 0.0, 0.0, 0.0

    def begin(self, left: float) -> None:
        """A cohort is to be planned with what is left of the budget."""
        self.refused = False
        self._left, self._used, self.counted, self.waited = left, 0.0, 0.0, 0.0

    def __call__(self, orders: Sequence[MixtureOrder]) -> list[MixtureResult]:
        """The results of the first orders, in order: of all that can be paid, and of the first one of a job.

        Raises:
            DrainedError: the workers were told to end.
            FileError: a file cannot be written.
        """
        requests = [request_for_mixture(self._config, order) for order in takewhile(self._pays, orders)]
        found = {} if self._folder is None else {
            request.seed: result for request in requests if (result := whole_mixture(self._folder, request))
        }  # fmt: skip
        begun = seconds_run()
        found |= self._trained([request for request in requests if request.seed not in found])
        self.waited += seconds_run() - begun
        return [found[request.seed] for request in requests]

    def _pays(self, order: MixtureOrder) -> bool:
        """Take the price of a mixture and of the class that comes of it, if it is there."""
        price = worth(self._config, order)
        is_first = not self._used and self._left >= self._config.budget
        if self._used + price + 1 > self._left and not is_first:
            self.refused = True
            return False
        self._used += price + 1
        self.counted += price
        return True

    def _trained(self, requests: Sequence[MixtureRequest]) -> dict[int, MixtureResult]:
        waiting: dict[int, MixtureRequest] = {}
        for request in requests:
            self._submitted += 1
            waiting[-self._submitted] = request  # cohorts have the numbers from 0 on
            self._workers.submit(-self._submitted, request)
        results: dict[int, MixtureResult] = {}
        while waiting:
            if (finished := self._workers.next()) is None:
                raise DrainedError
            number, result = finished
            if isinstance(result, MixtureResult):
                request = waiting.pop(number)
                results[request.seed] = result
                if self._folder is not None:
                    keep_mixture(self._folder, request, result)
            else:
                self._arrived(finished)
        return results


def request_for_mixture(config: Config, order: MixtureOrder) -> MixtureRequest:
    """What the workers are asked for: of several tasks one by lot, at the middle one of its learning rates."""
    name = config.tasks[derive(order.seed, "task") % len(config.tasks)]
    rates = sorted(_rates(config, name))
    (conditions,) = config.asked(name)
    return MixtureRequest(
        order.space,
        name,
        order.seed,
        rates[(len(rates) - 1) // 2],
        order.settings,
        device=config.training.device,
        autocast=config.training.autocast,
        operators=config.operators,
        conditions=conditions,
    )


def worth(config: Config, order: MixtureOrder) -> float:
    """The candidate-trainings that a mixture counts as: its steps times its cost, over those of a class.

    A class that is trained to the end takes these on its first seeds, on all tasks, at all learning rates that it
    keeps; the race's seeds are not in it.
    """
    t = config.training
    steps = [sum(Schedule(t.steps, t.rungs, _rates(config, name), t.drop_worst_rate).work) for name in config.tasks]
    return order.cost * order.settings.both_steps / (t.seeds * sum(steps))


def _rates(config: Config, name: str) -> tuple[float, ...]:
    return config.training.learning_rates or task(name).learning_rates


def in_words(folder: RunFolder, trace: Sequence[TraceEntry]) -> str:
    """What the mixtures of a run took, by steps and by the clock; "" if it has none."""
    number, failed, steps, seconds = 0, 0, 0, 0.0
    for _, result in mixtures_of(folder):
        number += 1
        failed += not result.expression
        steps += result.steps
        seconds += sum(result.seconds.values())
    if not number:
        return ""
    of_classes = sum(sum(entry.seconds.values()) for entry in trace)
    classes = trace[-1].trained if trace else 0
    by_clock = f", by the clock all took as long as {classes * seconds / of_classes:.1f} classes" if of_classes else ""
    return (
        f"{number} mixtures trained{f', {failed} of which failed' if failed else ''}: "
        f"{steps:,} steps in {seconds:.0f} s; those behind the {classes} classes "
        f"trained count as {trace[-1].mixed if trace else 0.0:.1f} of the budget{by_clock}"
    )
