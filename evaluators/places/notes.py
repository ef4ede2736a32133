"""What people are told of a network's places before a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evaluators.places.kinds import RECTIFIERS, family_name
from evaluators.places.site import Site
from evaluators.places.survey import Survey
from evaluators.tasks.base import Task

_SHOWN = 4  # paths in a note; `actsearch places` has all


def place_notes(task: Task, found: Survey) -> list[str]:
    """Notes on activations like ReLU that stay, on calls that may be some, and on channels that are guessed."""
    notes = [*_of_what_stays(found), *_of_channels(found.sites)]
    return [f"task {task.name!r}: replaced: {note}" for note in notes]


def _of_what_stays(found: Survey) -> Iterator[str]:
    for why in dict.fromkeys(why for _, why in found.others):
        stay = [site.path for site, reason in found.others if reason == why and family_name(site.kind) in RECTIFIERS]
        if stay:
            yield f"{_listed(stay)}: stays as it is, {why}"
    if aliases := [f"{path or 'the network'} ({name})" for path, name in found.aliases]:
        yield (
            f"{_listed(aliases)}: a bound by a function, which stays as it is; if it is an activation, write "
            "torch.relu(x)"
        )


def _of_channels(sites: Sequence[Site]) -> Iterator[str]:
    for dim in sorted({site.inputs.channel_dim for site in sites if not site.inputs.known}):
        paths = _listed([site.path for site in sites if not site.inputs.known and site.inputs.channel_dim == dim])
        yield (
            f"which dimension of the input holds the channels of {paths} does not follow from the layers before; "
            f"dimension {dim} is taken, and matters to functions with parameters per channel. Elsewhere? Say "
            "Place(name, channel_dim=...) in replaced"
        )
    if differing := [site.path for site in sites if site.inputs.differ]:
        yield (
            f"the inputs of {_listed(differing)} differ in their channels from call to call; what is learnt per "
            "channel is one number for all of them there. Give each call a module of its own"
        )


def _listed(paths: list[str]) -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
