"""What people are told of a network's places: activations that stay where a candidate could have gone."""

from __future__ import annotations

from evaluators.places.kinds import RECTIFIERS, family_name
from evaluators.places.site import Site
from evaluators.places.survey import Survey
from evaluators.tasks.base import Task

_SHOWN = 4  # paths in a note; `actsearch places` has all


def place_notes(task: Task, found: Survey) -> list[str]:
    """Notes on activations like ReLU that stay, and on calls that may be some and are not followed."""
    notes = []
    for why in dict.fromkeys(why for _, why in found.others):
        stay = [site for site, reason in found.others if reason == why and _is_like_relu(site)]
        if stay:
            notes.append(f"task {task.name!r}: {_paths([site.path for site in stay])}: stays as it is, {why}")
    aliases = [f"{path or 'the network'} ({name})" for path, name in found.aliases]
    if aliases:
        notes.append(
            f"task {task.name!r}: {_paths(aliases)}: a bound by a function, which stays as it is; if it is an "
            "activation, write torch.relu(x)"
        )
    return notes


def _is_like_relu(site: Site) -> bool:
    return family_name(site.kind) in RECTIFIERS


def _paths(paths: list[str]) -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
