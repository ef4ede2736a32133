"""The rows that ``actsearch places`` prints."""

from __future__ import annotations

from evaluators.places.site import Site
from evaluators.places.survey import survey_of
from evaluators.tasks.finder import task

Cells = dict[str, str | int]


#: How others are chosen.
HINT = (
    'Others are chosen in the task: replaced = ("PLACE", "layers.*.relu#1", nn.Tanh, F.relu), with names out of this '
    "table, patterns, types of modules, and functions. A gate, a softmax, or a norm with its activation is "
    'Place("PLACE", kind=...). A bound, such as x.clamp(min=0), is not followed: if it is an activation, write '
    "torch.relu(x)."
)


def places(name: str) -> list[Cells]:
    """One row for each activation of a task's network, chosen ones first; all rows have the same keys.

    Raises:
        TaskError: there is no such task, or nothing of its network can be replaced.
        UserFileError: the file cannot be used.
    """
    found = survey_of(task(name))
    bounds = [_bound(path, function) for path, function in found.aliases]
    return [*(_cells(site, "") for site in found.sites), *(_cells(site, why) for site, why in found.others), *bounds]


def _cells(site: Site, why: str) -> Cells:
    shapes = " ".join("x".join(map(str, shape[1:])) or "1" for shape in site.shapes)
    return {
        "place": site.path,
        "what": site.what,
        "input": shapes,
        "channels": _channels(site),
        "replaced": f"no: {why}" if why else _role(site),
    }


def _role(site: Site) -> str:
    """What the candidate is there, with what goes with it."""
    if site.norm is not None:
        return f"yes: layer, with {site.norm.path}"
    return "yes" if site.place_kind == "pointwise" else f"yes: {site.place_kind}"


def _bound(path: str, function: str) -> Cells:
    """A call that may be an activation and is not followed."""
    return {
        "place": path or "(the network)",
        "what": f"call of {function}",
        "input": "",
        "channels": "",
        "replaced": "no: a bound",
    }


def _channels(site: Site) -> str:
    """How many, and in which dimension where that is not the last one or a guess."""
    found = site.inputs
    if not site.shapes:
        return ""
    if found.differ:
        return "1 for all"
    where = "" if found.channel_dim == -1 else f" in dim {found.channel_dim}"
    return f"{found.channels}{where}{'' if found.known else ' (guessed)'}"
