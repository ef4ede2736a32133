"""A confirmation in words: what its seeds can show, and who looked at the same data before."""

from __future__ import annotations

from collections.abc import Sequence

from search.confirmation.record import Confirmation
from search.records.look import Look, looks_before


def power_in_words(confirmation: Confirmation, unit: str = "nats") -> str:
    """What so many seeds can show; "" where nothing tells the noise."""
    if (effect := confirmation.smallest_effect) is None:
        return ""
    tried = "1 function was" if confirmation.family == 1 else f"{confirmation.family} functions were"
    return (
        f"{confirmation.setting.seeds} seeds show a gain of {effect:.2f} {unit} over the best control in four of five "
        f"confirmations, smaller ones less often; {tried} tried."
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
