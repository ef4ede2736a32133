"""How far the training of a cohort in this process is, in words: one line, the controls first."""

from __future__ import annotations

from evaluators.training.progress import Reached, Told
from primitives.user_file import label

_SHOWN = 3  # controls
_LONGEST = 40  # characters of a formula


def in_words(reached: Reached) -> str:
    """A line such as ``digits, step 25 of 100, 27 of 27 functions: relu(x) 0.61, ...; best tanh(x) 0.52``."""
    controls = list({each.text: each for each in reached.told if each.control}.values())[:_SHOWN]
    losses = ", ".join(map(_loss, controls))
    best = f"; best {_loss(reached.best)}" if reached.best else ""
    return (
        f"{label(reached.task)}, step {reached.step} of {reached.steps}, {len(reached.told)} of {reached.members} "
        f"functions: {losses}{best}"
    )


def _loss(told: Told) -> str:
    text = told.text or "the network as it stands"
    return f"{text if len(text) <= _LONGEST else text[: _LONGEST - 3] + '...'} {told.loss:.3g}"
