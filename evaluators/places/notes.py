"""What people should know of the places of a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evaluators.places.sites import Site


def channel_notes(task: str, sites: Iterable[Site]) -> Iterator[str]:
    """For people: which places have channels that are guessed, or inputs that differ in them.

    Args:
        task: its name.
        sites: of its network.
    """
    sites = list(sites)
    for dim in sorted({site.channel_dim for site in sites if site.guessed}):
        paths = ", ".join(site.path for site in sites if site.guessed and site.channel_dim == dim)
        yield (
            f"task {task!r}: replaced: which dimension of the input holds the channels of {paths} does not follow from "
            f"the layers before; dimension {dim} is taken, and matters to functions with parameters per channel. "
            "Elsewhere? Say Place(name, channel_dim=...) in replaced"
        )
    if differing := ", ".join(site.path for site in sites if site.differ):
        yield (
            f"task {task!r}: replaced: the inputs of {differing} differ in their channels from call to call; what is "
            "learnt per channel is one number for all of them there. Give each call a module of its own"
        )
