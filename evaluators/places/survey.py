"""A survey of a network's activations: modules, and calls of functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from evaluators.errors import TaskError
from evaluators.machine.backend import CPU
from evaluators.places.channels import Following, agreed
from evaluators.places.choosing import Wanted, check_asked, choose, is_asked, place_of, wanted
from evaluators.places.kinds import is_elementwise, kind_of_module, may_be_activation
from evaluators.places.placing import Placing, check_apart
from evaluators.places.rehearsal import rehearse
from evaluators.places.site import Site
from evaluators.places.watching import Call, Probe, Watched, watched
from evaluators.tasks.base import BLOCK, Inputs, Part, Task
from evaluators.tasks.examples import examples_of
from evaluators.training.initialisation import initial_network
from primitives.ending import contained
from primitives.errors import ActsearchError, ExpressionError
from primitives.layers.call_kinds import is_activation
from primitives.layers.call_places import ALL, can_lead, lead_calls, leads_calls
from primitives.layers.called import make_called
from primitives.user_file import blame_on


@dataclass(frozen=True, slots=True)
class Survey:
    """What a network has.

    Args:
        sites: that the candidates take, in the order of the modules.
        others: activations that stay, each with the reason.
        aliases: paths of modules with functions that they call, which may be activations and are not followed.
    """

    sites: tuple[Site, ...]
    others: tuple[tuple[Site, str], ...]
    aliases: tuple[tuple[str, str], ...]


def find_sites(network: nn.Module, task: Task, x: Inputs) -> list[Site]:
    """The sites that a task's candidates take in a network; see :func:`survey`."""
    return list(survey(network, task, x).sites)


def survey_of(task: Task, part: Part = "search") -> Survey:
    """The survey of a task's network with a few examples of a part, and a rehearsal of what it found.

    Raises:
        TaskError: there is nothing to replace; the network does not compute with what is put there, see
            :func:`evaluators.places.rehearsal.rehearse`; or it fails, the message names file and line.
    """
    try:
        with contained():
            inputs = examples_of(task, part).rows(slice(BLOCK)).mapped(CPU.place).inputs
            network = initial_network(task, 0)
            found = survey(network, task, inputs)
            rehearse(network, task, found.sites, inputs)
        return found
    except ActsearchError:
        raise
    except Exception as error:
        raise TaskError(f"task {task.name!r} fails: {blame_on(error, task)}") from error


def survey(network: nn.Module, task: Task, x: Inputs) -> Survey:
    """Look for a network's activations; it is called in eval mode and in train mode.

    A module that a network holds under several names is a site for each. One that is called several times is one site.
    Calls of one kind are numbered in the forward pass of the module that makes them; where passes make different
    numbers of calls, they are one site. If a call is chosen, modules are made ready to lead their calls to what is put
    there; the network computes what it did.

    Args:
        network: as it came from the task.
        task: says what is to be replaced.
        x: inputs for the network.

    Raises:
        TaskError: see :func:`evaluators.places.choosing.choose`; or something is asked for that is no activation.
        ExpressionError: calls of a module cannot be replaced.
    """
    check_asked(task, network)
    asked, following = wanted(task) or Wanted(), Following()
    places = list(_modules(network, asked))
    probes = [Probe(_shallow(place.module), following) for place in places]
    for place, probe in zip(places, probes, strict=True):
        setattr(place.parent, place.attribute, probe.module)
    try:
        seen = watched(network, x, probes, following)
    finally:
        for place in places:
            setattr(place.parent, place.attribute, place.module)
    seen = seen.renamed({probe.module: place.module for place, probe in zip(places, probes, strict=True)})
    of_modules = [_of_module(place, probe, seen) for place, probe in zip(places, probes, strict=True)]
    activations = {site.module for site in of_modules if site.elementwise}
    names = {module: path for path, module in network.named_modules()}
    of_calls = [site for site in _of_calls(names, activations, seen) if is_asked(task, site)]
    found = _in_order(network, names, [*of_modules, *of_calls])
    chosen, others = choose(task, found)
    placing = Placing(network, {place.path: probe for place, probe in zip(places, probes, strict=True)}, seen)
    try:
        chosen = [placing.placed(site, place_of(task, site)) for site in chosen]
        check_apart(chosen)
    except TaskError as error:
        raise TaskError(f"task {task.name!r}: {error}") from None
    aliases = dict.fromkeys((names.get(module, "?"), name) for module, name in seen.aliases)
    return Survey(tuple(_ready(network, names, chosen, seen)), tuple(others), tuple(aliases))


@dataclass(frozen=True, slots=True)
class _Standing:
    """A module at one place of a network."""

    path: str
    parent: nn.Module
    attribute: str
    module: nn.Module


def _modules(network: nn.Module, asked: Wanted) -> Iterator[_Standing]:
    """All that may be an activation or is of a type that is asked for, at each of its places."""
    seen = set()
    for path, module in network.named_modules(remove_duplicate=False):
        prefix, _, attribute = path.rpartition(".")
        parent = network.get_submodule(prefix)
        if isinstance(parent, ParametrizationList):  # of a weight, not of what passes
            continue
        if path and (parent, attribute) not in seen and (may_be_activation(module) or asked.names(path, module)):
            seen.add((parent, attribute))
            yield _Standing(path, parent, attribute, module)


def _shallow(module: nn.Module) -> nn.Module:
    """A copy that shares all parts, to be told apart from the module at other places, and in lists of the user's."""
    made = type(module).__new__(type(module))
    vars(made).update(vars(module))
    return made


def _of_module(place: _Standing, probe: Probe, seen: Watched) -> Site:
    module = place.module
    kind = kind_of_module(module, {kind for numbers in seen.counts.get(module, ()) for kind in numbers})
    where, shapes = (place.parent, place.attribute, place.path), tuple(dict.fromkeys(probe.shapes))
    elementwise = probe.alone and probe.floating and all(is_elementwise(module, shape) for shape in shapes[:1])
    return Site(*where, kind, module, shapes, agreed(probe.channels), elementwise)


def _of_calls(names: Mapping[nn.Module, str], activations: set[nn.Module | None], seen: Watched) -> Iterator[Site]:
    """A site for each call that is not made within an activation."""
    _check_spelling(names, seen)
    of_sites: dict[tuple[nn.Module, str, str], list[Call]] = {}
    for each in seen.calls:
        outside = activations.isdisjoint(each.around) and not any(
            isinstance(m, ParametrizationList) for m in each.around
        )
        if each.owner in names and outside:
            of_sites.setdefault((each.owner, each.kind, _number(each, seen)), []).append(each)
    for (owner, kind, number), calls in of_sites.items():
        attribute = f"{kind}#{number}"
        path = f"{names[owner]}.{attribute}".removeprefix(".")
        shapes = tuple(dict.fromkeys(each.shape for each in calls))
        inputs = agreed([each.channels for each in calls])
        yield Site(owner, attribute, path, kind, None, shapes, inputs, elementwise=is_activation(kind))


def _check_spelling(names: Mapping[nn.Module, str], seen: Watched) -> None:
    """Refuse a line whose calls write into their input in some passes alone: they would be two places of one call."""
    of_lines: dict[tuple[nn.Module, tuple[str, int], str], set[str]] = {}
    for each in seen.calls:
        of_lines.setdefault((each.owner, each.line, each.kind.removesuffix("_")), set()).add(each.kind)
    for (owner, (file, line), kind), kinds in of_lines.items():
        if len(kinds) > 1 and any(numbers.get(kind, 0) == 0 for numbers in seen.counts[owner]):
            raise ExpressionError(
                f"{names.get(owner, '?') or 'the network'}: {file}, line {line}: {kind} writes into its input in some "
                "forward passes alone; write inplace=False"
            )


def _number(call: Call, seen: Watched) -> str:
    """A call's number in its forward pass; the same for all where passes make different numbers of calls."""
    counts = {numbers.get(call.kind, 0) for numbers in seen.counts[call.owner]}
    return str(call.number) if len(counts) == 1 else ALL


def _ready(network: nn.Module, names: Mapping[nn.Module, str], chosen: Sequence[Site], seen: Watched) -> list[Site]:
    """Make modules lead their calls to children, if a call is chosen, and torch's layers call what is put there."""
    calls = any(site.module is None or site.product for site in chosen)
    own = _led_kinds(chosen)
    for owner in dict.fromkeys([*(each.owner for each in seen.calls), *own]) if calls else ():
        numbers = seen.counts[owner]
        kinds = [kind for kind in set().union(*numbers) if is_activation(kind) or kind in own.get(owner, ())]
        try:
            lead_calls(owner, {kind: max(each.get(kind, 0) for each in numbers) for kind in kinds})
        except ExpressionError as error:
            raise ExpressionError(f"{names.get(owner, '?') or 'the network'}: {error}") from None
    for module in _unheard(network, seen) if calls else ():
        lead_calls(module, {})
    make_called(network, [site.module or site.parent for site in chosen])
    return [replace(site, among_calls=calls) for site in chosen]


def _led_kinds(chosen: Sequence[Site]) -> dict[nn.Module, set[str]]:
    """Of which modules calls that are no activations go to children, and their kinds."""
    own: dict[nn.Module, set[str]] = {}
    for site in chosen:
        if site.product is not None:
            own.setdefault(site.product.owner, set()).add(site.product.attribute.partition("#")[0])
        if site.module is None:
            own.setdefault(site.parent, set()).add(site.kind)
    return own


def _unheard(network: nn.Module, seen: Watched) -> list[nn.Module]:
    """Modules of which a later forward pass may call an activation, as under a condition; it is no call of others'."""
    silent = [each for each in network.modules() if each in seen.counts and not leads_calls(each) and can_lead(each)]
    return [each for each in silent if may_be_activation(each) or not type(each).__module__.startswith("torch.")]


def _in_order(network: nn.Module, names: Mapping[nn.Module, str], sites: Sequence[Site]) -> list[Site]:
    """Sites in the order of the network's modules, calls before what the module that makes them holds."""
    order = {path: place for place, (path, _) in enumerate(network.named_modules(remove_duplicate=False))}
    return sorted(sites, key=lambda site: order[site.path if site.module is not None else names[site.parent]])
