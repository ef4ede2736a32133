"""The state of a cohort as plain data that torch loads without running code: numbers, text, tensors on the CPU."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from evaluators.results.json_codec import Fields
from evaluators.results.reasons import TRAINED, code_of
from evaluators.results.records_codec import member_from_json, member_to_json
from evaluators.training.checkpoints.states import (
    CohortState,
    ModelsState,
    SavedModels,
    SinglesState,
    StackState,
    TrainingState,
)
from evaluators.training.member import Outcome

Plain = dict[str, Any]
_KINDS = {StackState: "stack", SinglesState: "singles"}


def state_to_plain(state: CohortState) -> Plain:
    """Of a cohort whose training is under way."""
    training = state.training
    assert training is not None
    return {
        "rows": [member_to_json(row) for row in state.rows],
        "seconds": dict(state.seconds),
        "done": state.done,
        "training": {
            "mark": training.step,
            "outcomes": [_outcome_to_plain(outcome) for outcome in training.outcomes],
            "stacks": [_models_to_plain(models) for models in training.models],
        },
    }


def state_from_plain(plain: Plain, place: str) -> CohortState:
    """What :func:`state_to_plain` was given; the file carries its own hash, so that its shape is that."""
    training = plain["training"]
    return CohortState(
        rows=tuple(member_from_json(Fields(row, place)) for row in plain["rows"]),
        seconds=plain["seconds"],
        done=plain["done"],
        training=TrainingState(
            outcomes=tuple(map(_outcome_from_plain, training["outcomes"])),
            step=training["mark"],
            models=tuple(map(_models_from_plain, training["stacks"])),
        ),
    )


def _outcome_to_plain(outcome: Outcome) -> Plain:
    return {
        "losses": outcome.losses,
        "tests": outcome.tests,
        "reason": code_of(outcome.reason),
        "error": outcome.error,
        "measured": outcome.measured,
        "readings": outcome.readings,
    }


def _outcome_from_plain(plain: Plain) -> Outcome:
    return Outcome(**(plain | {"reason": TRAINED[plain["reason"]] if plain["reason"] else None}))


def _models_to_plain(models: SavedModels) -> Plain:
    return {"members": models.members, "rates": models.rates, _KINDS[type(models.state)]: _fields(models.state)}


def _models_from_plain(plain: Plain) -> SavedModels:
    state: ModelsState = (
        StackState(**plain["stack"]) if "stack" in plain else SinglesState(**plain[_KINDS[SinglesState]])
    )
    return SavedModels(tuple(plain["members"]), tuple(map(tuple, plain["rates"])), state)


def _fields(state: ModelsState) -> Plain:
    return {field.name: getattr(state, field.name) for field in fields(state)}
