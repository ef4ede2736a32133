"""A confirmation in words: what its seeds can show, and who looked at the same data before."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.comparison import comparison_of
from evaluators.statistics import smallest_effect
from evaluators.tasks import task
from evaluators.tasks.fresh_data import shared_ratio
from search.config import Config
from search.confirmation.record import Confirmation
from search.records.look import Look, looks_before

#: Nats: of a finalist's gain over the best control, in the middle of .08 to .19 in recorded jobs.
USUAL_NOISE = 0.15


def power_in_words(confirmation: Confirmation, unit: str = "nats") -> str:
    """What so many seeds can show; "" where nothing tells the noise."""
    if (effect := confirmation.smallest_effect) is None:
        return ""
    tried = "1 function was" if confirmation.family == 1 else f"{confirmation.family} functions were"
    return (
        f"{confirmation.setting.seeds} seeds show a gain of {effect:.2f} {unit} over the best control in four of five "
        f"confirmations, smaller ones less often; {tried} tried."
    )


def power_expected(config: Config) -> str:
    """What the seeds of a job's confirmation will be able to show, before anything is trained; "" without one."""
    c = config.confirmation
    if not c.finalists:
        return ""
    ratio = max(shared_ratio(task(name)) for name in config.tasks)
    effect = smallest_effect(c.seeds, 1.0, c.finalists * (2 if c.rounds else 1), ratio)
    nats = all(comparison_of(task(name)).is_ratio for name in config.tasks)
    said = f"{effect * USUAL_NOISE:.2f} nats, where its noise on a seed is {USUAL_NOISE:g} as in shipped jobs"
    return (
        f"confirmation: {c.seeds} seeds can show a gain over the best known function of "
        f"{said if nats else f'{effect:.1f} times its noise on a seed'}; more seeds show smaller ones"
    )


def looks_in_words(confirmation: Confirmation, ledger: Sequence[Look]) -> list[str]:
    """A sentence for each task whose confirmation data were looked at before."""
    return [
        _earlier(task, looks)
        for task, tested in confirmation.setting.tested.items()
        if (looks := looks_before(ledger, tested.data, confirmation.setting.draw))
    ]


def _earlier(task: str, looks: Sequence[Look]) -> str:
    runs = list(dict.fromkeys(look.run for look in looks))
    by = f"run{'s' if len(runs) > 1 else ''} {', '.join(runs)}"
    times = "once" if len(looks) == 1 else f"{len(looks)} times"
    return f"The confirmation data of {task} were looked at {times} before ({by}); p does not allow for other runs."
