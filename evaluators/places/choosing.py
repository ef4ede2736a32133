"""Which of a network's activations a task's candidates take the place of; refusals of what cannot be meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from torch import nn

from evaluators.errors import TaskError
from evaluators.places.channels import agreed, declared
from evaluators.places.kinds import BOUNDED, NOT_ELEMENTWISE, RECTIFIERS, family_name, may_be_activation
from evaluators.places.site import Site
from evaluators.tasks.base import Replaced, Task
from evaluators.tasks.place import Match, Place, PlaceKind, as_place
from primitives.errors import nearest
from primitives.layers.call_kinds import HALVES, ROW, kind_of_function


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a task wants replaced, by type, by name and by function.

    Args:
        types: of modules.
        patterns: of names of modules and of calls.
        kinds: names of functions, whose calls are meant.
    """

    types: tuple[type[nn.Module], ...] = ()
    patterns: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def takes(self, site: Site) -> bool:
        """True if the site is asked for."""
        of_kind = site.module is None and site.kind.removesuffix("_") in self.kinds
        return of_kind or isinstance(site.module, self.types) or any(fnmatchcase(site.path, p) for p in self.patterns)

    def names(self, path: str, module: nn.Module) -> bool:
        """True for a module that is asked for by type or its own name, or by a pattern if it is a softmax or GLU."""
        fits = isinstance(module, NOT_ELEMENTWISE) and any(fnmatchcase(path, p) for p in self.patterns)
        return fits or path in self.patterns or isinstance(module, self.types)

    def missed(self, sites: Sequence[Site]) -> list[str]:
        """What there is none of: names and functions each, types where there is nothing of any."""
        named = [p for p in self.patterns if not any(fnmatchcase(site.path, p) for site in sites)]
        called = [k for k in self.kinds if not any(Wanted(kinds=(k,)).takes(site) for site in sites)]
        of_types = [kind.__name__ for kind in self.types] if not any(self.takes(site) for site in sites) else []
        return [*named, *called, *of_types]


def wanted(task: Task) -> Wanted | None:
    """The entries of ``task.replaced``, or None where it leaves the choice to us.

    Raises:
        TaskError: one is no type of modules, name or function of torch's.
    """
    entries: Replaced | None = task.replaced
    if entries is None:
        return None
    if not isinstance(entries, tuple) or not entries or not all(_is_entry(entry) for entry in entries):
        raise TaskError(
            f"task {task.name!r}: replaced: expected a tuple of types of modules, patterns of names, and functions, as "
            f'in (nn.ReLU, "features.*.act", F.relu), or None for what is found, got {entries!r}'
        )
    return _meant([as_place(entry).match for entry in entries])


def _is_entry(entry: object) -> bool:
    return isinstance(entry, str | type | Place) or bool(kind_of_function(entry))


def _meant(matches: Sequence[Match]) -> Wanted:
    types = tuple(match for match in matches if isinstance(match, type))
    kinds = tuple(kind for match in matches if not isinstance(match, type) and (kind := kind_of_function(match)))
    return Wanted(types, tuple(match for match in matches if isinstance(match, str)), kinds)


def _with_channels(task: Task, site: Site) -> Site:
    """The site with the dimension of channels that the first place of the task says for it, if one does.

    A row's is that of its softmax.
    """
    if place_of(task, site).kind == "row":
        return site
    for entry in task.replaced or ():
        if isinstance(entry, Place) and entry.channel_dim is not None and _meant([entry.match]).takes(site):
            inputs = [declared(entry, entry.channel_dim, shape) for shape in site.shapes]
            return replace(site, inputs=agreed(inputs))
    return site


def place_of(task: Task, site: Site) -> Place:
    """What the first entry of ``task.replaced`` that takes a site says of it."""
    places = map(as_place, task.replaced or ())
    return next((place for place in places if _meant([place.match]).takes(site)), Place(site.path))


def is_asked(task: Task, site: Site) -> bool:
    """True for activations, and for other calls that a task asks for as what they are; a pattern may fit more."""
    if site.elementwise or site.module is not None:
        return True
    meant = {"gate": HALVES, "row": ROW}.get(place_of(task, site).kind, "")
    return site.kind == meant or site.kind in (wanted(task) or Wanted()).kinds


def choose(task: Task, found: Sequence[Site]) -> tuple[list[Site], list[tuple[Site, str]]]:
    """Divide what was found: the sites of the candidate, and what stays, each with the reason.

    Raises:
        TaskError: there is nothing to replace, or nothing of a name; something is not elementwise, or is asked for by
            its name and never used.
    """
    asked = wanted(task)
    if asked is None:
        return _by_kind(task, found)
    _check_found(task, asked, found)
    chosen = [site for site in found if asked.takes(site) and site.shapes]
    stays = [(site, "never used" if asked.takes(site) else "not in replaced") for site in found if site not in chosen]
    return [_with_channels(task, site) for site in chosen], stays


def _by_kind(task: Task, found: Sequence[Site]) -> tuple[list[Site], list[tuple[Site, str]]]:
    """What is like ReLU; where there is none, what is like tanh."""
    reasons = {site: _reason(site) for site in found}
    families = [
        [site for site in found if not reasons[site] and family_name(site.kind) in family]
        for family in (RECTIFIERS, BOUNDED)
    ]
    chosen = next(filter(None, families), [])
    if not chosen:
        raise TaskError(
            f"task {task.name!r}: replaced: expected an activation like ReLU or tanh in its network, found "
            f"{_listed(found)}. Name what the candidate takes the place of: replaced = ({_example(found)},)"
        )
    others = [site for site in found if site not in chosen]
    return chosen, [(site, reasons[site] or "of another kind") for site in others]


def _reason(site: Site) -> str:
    """What keeps a site from being one of the candidate's, or ""."""
    if not site.shapes:
        return "never used"
    return "" if site.elementwise else "not elementwise"


def check_asked(task: Task, network: nn.Module) -> None:
    """Refuse what is asked for and is no elementwise activation, before the network is called.

    Raises:
        TaskError: the message names the module, and those that may be meant.
    """
    asked = wanted(task) or Wanted()
    modules = {path: module for path, module in network.named_modules() if path}
    listed = ", ".join(f"{p} ({type(m).__name__})" for p, m in modules.items() if may_be_activation(m)) or "none"
    for path, module in modules.items():
        if not isinstance(module, asked.types) and not any(fnmatchcase(path, p) for p in asked.patterns):
            continue
        if _kind_at(task, path, module) != "pointwise":
            continue
        fault = f"which is not elementwise{_hint(module)}" if isinstance(module, NOT_ELEMENTWISE) else "no activation"
        if isinstance(module, NOT_ELEMENTWISE) or not (isinstance(module, asked.types) or may_be_activation(module)):
            raise TaskError(
                f"task {task.name!r}: replaced: {path} is a {type(module).__name__}, {fault}. Elementwise activations "
                f"that are modules: {listed}"
            )


def _kind_at(task: Task, path: str, module: nn.Module) -> PlaceKind:
    """The kind of the first entry that takes a module."""
    for place in map(as_place, task.replaced or ()):
        match = place.match
        if (
            fnmatchcase(path, match)
            if isinstance(match, str)
            else isinstance(match, type) and isinstance(module, match)
        ):
            return place.kind
    return "pointwise"


def _hint(what: nn.Module | str) -> str:
    """How what is not elementwise is asked for, if it can be."""
    if what == HALVES or isinstance(what, nn.GLU):
        return '; a candidate is, unless Place(..., kind="gate") says that it takes the place of a gate'
    if what == ROW or isinstance(what, nn.Softmax | nn.Softmax2d):
        return '; a candidate is, unless Place(..., kind="row") says that it takes the place of a softmax'
    return "; a candidate is"


def _check_found(task: Task, asked: Wanted, found: Sequence[Site]) -> None:
    """Refuse what would replace nothing, and what is not elementwise."""
    place = f"task {task.name!r}: replaced"
    if missed := asked.missed(found):
        raise TaskError(
            f"{place}: its network has no {' or '.join(missed)} for the candidate to replace"
            f"{nearest(missed[0], [site.path for site in found])}; activations: {_listed(found)}{_by_function(found)}"
            f"{_FUSED if ROW in missed else ''}"
        )
    chosen = [site for site in found if asked.takes(site)]
    for site in chosen:
        if not site.elementwise and place_of(task, site).kind == "pointwise":
            raise TaskError(
                f"{place}: {site.path} is a {site.what}, which is not elementwise{_hint(site.module or site.kind)}. "
                f"Elementwise activations: {_listed([each for each in found if each.elementwise])}"
            )
        if not site.shapes and (site.path in asked.patterns or not any(each.shapes for each in chosen)):
            raise TaskError(f"{place}: {site.path} is never used; used activations: {_listed(found)}")


#: Why a network with attention may have no softmax.
_FUSED = (
    ". F.scaled_dot_product_attention and nn.MultiheadAttention compute their softmax within one fused call, which has "
    "no place: write the attention out"
)


def _by_function(found: Sequence[Site]) -> str:
    """How calls are asked for, if there are any."""
    kind = next((site.kind.removesuffix("_") for site in found if site.module is None), "")
    return f". A call is asked for by its name, or by its function, as in replaced = (F.{kind},)" if kind else ""


def _listed(found: Sequence[Site]) -> str:
    return ", ".join(f"{site.path} ({site.what})" for site in found if site.shapes) or "none"


def _example(found: Sequence[Site]) -> str:
    return next((f'"{site.path}"' for site in found if not _reason(site)), '"features.*.act"')
