"""The funnel: how many candidates were left after each step, and why the others went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from evaluators.rejection import UNPROMISING
from evaluators.screens import REASONS
from evaluators.stability import UNSTABLE
from search.report.facts import Facts

_KNOWN = "known"

#: Reasons of candidates that were trained, by reason code.
_TRAINED = {
    UNPROMISING: "above an early-rejection threshold at a rung",
    "non-finite": "no learning rate kept its loss finite on every seed",
    "stuck-at-chance": "learnt nothing where ReLU did",
    "far-below-relu": "its loss was far above ReLU's at a rung",
    "worker-died": "the worker that trained it died, twice",
    "timeout": "the worker that trained it fell silent, twice",
    "node-lost": "the machine that trained it was lost",
    "raised": "training it raised an error",
    "no-reference": "ReLU itself had no finite loss to compare with",
    UNSTABLE: "its gradients can be made to explode",
}


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the funnel: its name, how many are left, and their share of all that were proposed."""

    name: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Loss:
    """How many left for one reason: before training by a screen or as known, or while they were trained."""

    where: str
    reason: str
    meaning: str
    count: int


def steps(facts: Facts) -> list[Step]:
    """From all that was proposed to what was confirmed; the last steps only where there was a confirmation."""
    counts = _counts(facts)
    finished = [c for c in facts.candidates if c.gain is not None]
    accepted, known = counts.pop("accepted", 0), counts.pop(_KNOWN, 0)
    rows = [
        ("proposed", accepted + known + sum(counts.values())),
        ("passed the screens", accepted + known),
        ("new class, trained", len(facts.candidates)),
        ("trained to the end", len(finished)),
        ("lower loss than ReLU in the search", sum(1 for c in finished if c.gain_over.get("relu", 0.0) > 0)),
        ("on the Pareto front", len(facts.front)),
    ]
    if facts.confirmation:
        tested = [row for row in facts.finalists if not row.get("of")]  # without their short forms
        rows += [
            ("finalists, trained on fresh seeds", len(tested)),
            ("confirmed", sum(1 for row in tested if row.get("confirmed"))),
        ]
    most = max(1, rows[0][1], len(facts.candidates))
    return [Step(name, count, count / most) for name, count in rows]


def losses(facts: Facts) -> list[Loss]:
    """Why candidates went, the most frequent first, before training and then in it."""
    counts = _counts(facts)
    counts.pop("accepted", None)
    known = counts.pop(_KNOWN, 0)
    before = [Loss("screen", reason, REASONS.get(reason, ""), count) for reason, count in counts.most_common()]
    if known:
        before.insert(0, Loss("known", _KNOWN, "its class was trained before, or is a control's", known))
    trained = Counter(c.reason for c in facts.candidates if c.reason)
    after = [Loss("training", reason, _meaning(reason), count) for reason, count in trained.most_common()]
    return before + after


def _counts(facts: Facts) -> Counter[str]:
    total: Counter[str] = Counter()
    for entry in facts.trace:
        counted: Mapping[str, int] = entry.get("counts", {})
        total.update(counted)
    return total


def _meaning(reason: str) -> str:
    if reason.startswith("no-") and reason not in _TRAINED:
        return f"the objective {reason.removeprefix('no-')!r} has no finite value"
    return _TRAINED.get(reason, "")
