"""What the kind of a place asks of a site: a gate's two inputs, the norm that a layer absorbs, a row's dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import nn

from evaluators.errors import TaskError
from evaluators.places.channels import agreed_rows, row_of
from evaluators.places.flows import Flows, Made, Point, Use
from evaluators.places.site import Norm, Product, Site
from evaluators.places.watching import Probe, Watched
from evaluators.tasks.place import Place
from primitives.layers.call_kinds import HALVES, PRODUCT, ROW


class Placing:
    """Sites as their places declare them.

    Args:
        network: whose modules are asked for names.
        probes: of sites that are modules, by their paths.
        seen: calls and where outputs go.
    """

    def __init__(self, network: nn.Module, probes: Mapping[str, Probe], seen: Watched) -> None:
        self.network, self.probes, self.seen = network, probes, seen
        self.names = {module: path for path, module in network.named_modules()}

    @property
    def flows(self) -> Flows:
        """Where outputs go."""
        return self.seen.flows

    def placed(self, site: Site, place: Place) -> Site:
        """A site with what its place's kind needs.

        Raises:
            TaskError: it has not got that; the message says what was expected and found.
        """
        site = replace(site, place_kind=place.kind)
        if place.kind == "gate":
            return self._gate(site)
        if place.kind == "row":
            return self._row(site, place)
        if place.kind == "layer":
            return self._layer(site, place)
        return site

    def _points(self, site: Site) -> list[Point]:
        """How flows name a site; calls of ``#all`` have several names."""
        if site.module is not None:
            return [self.probes[site.path].module]
        points = dict.fromkeys([*self.flows.sources, *self.flows.times])
        return [p for p in points if isinstance(p, Made) and _is_call_of(site, p.owner, p.kind, p.number)]

    def _gate(self, site: Site) -> Site:
        if isinstance(site.module, nn.GLU) or site.kind == HALVES:
            return _of_halves(site)
        counts = set() if site.module is None else self.probes[site.path].counts
        if counts == {2}:
            if not self.probes[site.path].keeps_shape:
                raise _refusal(site, "expected an output of its first input's shape, got another one")
            return site
        if counts - {1}:
            raise _refusal(site, "expected a module that is called with x and z, by position, got other inputs")
        points = self._points(site)
        uses = [use for point in points for use in self.flows.uses[point]]
        products = {use.by: use for use in uses if isinstance(use.by, Made) and _kind(use.by) == PRODUCT}
        if not products:
            raise _refusal(
                site,
                f"expected a product that takes its output, as in act(x) * z, found {_listed(uses, self.names)}",
            )
        if len({use.by for use in uses}) > 1:
            raise _refusal(
                site,
                f"expected one product to take its output, and nothing else, found {_listed(uses, self.names)}",
            )
        return self._of_product(site, uses, next(iter(products)))

    def _of_product(self, site: Site, uses: Sequence[Use], by: Point) -> Site:
        assert isinstance(by, Made)
        if by.owner not in self.names:
            raise _refusal(site, "its product is computed by a module that the network makes while it is called")
        for use in uses:
            if len(use.shapes) != 2 or use.shapes[0] != use.shapes[1]:
                shapes = " and ".join(map(str, use.shapes))
                raise _refusal(site, f"expected two factors of one shape, x and z, got {shapes}")
        if len({use.position for use in uses}) > 1:
            raise _refusal(site, "its output is both factors of its product, or another one from call to call")
        if len({numbers.get(by.kind, 0) for numbers in self.seen.counts[by.owner]}) > 1:
            where = self.names[by.owner] or "the network"
            raise _refusal(site, f"{where} computes another number of products from pass to pass; give it one number")
        return replace(site, product=Product(by.owner, f"{by.kind}#{by.number}", uses[0].position == 1))

    def _row(self, site: Site, place: Place) -> Site:
        if isinstance(site.module, nn.Softmax | nn.Softmax2d):
            dim = -3 if isinstance(site.module, nn.Softmax2d) else site.module.dim
            if not isinstance(dim, int):
                raise _refusal(site, "expected a softmax that says its dimension, as nn.Softmax(dim=-1), got none")
            rows = [row_of(shape, dim) for shape in site.shapes]
        elif site.kind == ROW:
            rows = [each.channels for each in self.seen.calls if _is_call_of(site, each.owner, each.kind, each.number)]
        else:
            raise _refusal(site, f"expected a softmax in a row's place, got a {site.what}")
        inputs = agreed_rows(rows)
        if inputs.channel_dim == 0:
            raise _refusal(site, "expected a softmax over one dimension that it names, got none or several")
        if place.channel_dim is not None and any(
            place.channel_dim % len(shape) != inputs.channel_dim % len(shape) for shape in site.shapes
        ):
            raise _refusal(
                site, f"channel_dim: expected {inputs.channel_dim}, that of the softmax, got {place.channel_dim}"
            )
        return replace(site, inputs=inputs)

    def _layer(self, site: Site, place: Place) -> Site:
        if site.module is not None and not (self.probes[site.path].alone and self.probes[site.path].keeps_shape):
            raise _refusal(site, "expected a module with one input, and an output of its shape")
        return replace(site, norm=self._norm(site, place)) if place.absorbs else site

    def _norm(self, site: Site, place: Place) -> Norm:
        """The norm whose output is all that the place gets."""
        kinds = " or ".join(kind.__name__ for kind in place.absorbs)
        sources = [each for point in self._points(site) for each in self.flows.sources[point]]
        found = {each for origins in sources for each in origins if isinstance(each, place.absorbs)}
        lone = [each for each in found if all(each in origins for origins in sources)]
        if len(found) != 1 or not lone:
            names = [self.names.get(each, "?") for each in found if isinstance(each, nn.Module)]
            others = f"{' and '.join(names)} in some calls" if names else "none"
            raise _refusal(site, f"absorbs: expected a {kinds} whose output is its input in every call, found {others}")
        norm = lone[0]
        assert isinstance(norm, nn.Module)
        paths = [path for path, module in self.network.named_modules(remove_duplicate=False) if module is norm]
        if len(paths) != 1:
            raise _refusal(site, f"absorbs: its norm stands at several places, {', '.join(paths)}")
        points = self._points(site)
        if any(use.by not in points for use in self.flows.uses[norm]):
            others = _listed([use for use in self.flows.uses[norm] if use.by not in points], self.names)
            raise _refusal(site, f"absorbs: {paths[0]} feeds something else, too: {others}")
        parent, _, attribute = paths[0].rpartition(".")
        return Norm(self.network.get_submodule(parent), attribute, paths[0], norm)


def check_apart(sites: Sequence[Site]) -> None:
    """Refuse two places that would be one.

    Raises:
        TaskError: two gates are one product, or two layers absorb one norm.
    """
    taken: dict[tuple[nn.Module, str], Site] = {}
    for site in sites:
        for parent, attribute in _parts(site):
            if (other := taken.setdefault((parent, attribute), site)) is not site:
                raise TaskError(
                    f"replaced: {other.path} and {site.path} are one place of kind {site.place_kind!r}; name one of "
                    "them"
                )


def _parts(site: Site) -> list[tuple[nn.Module, str]]:
    product = [] if site.product is None else [(site.product.owner, site.product.attribute)]
    norm = [] if site.norm is None else [(site.norm.parent, site.norm.attribute)]
    return [*product, *norm]


def _of_halves(site: Site) -> Site:
    """The channels of halves are half of those of the module's input; a call is seen with its halves already."""
    if site.module is None:
        return site
    assert isinstance(site.module, nn.GLU)
    dims = {site.module.dim - len(shape) if site.module.dim >= 0 else site.module.dim for shape in site.shapes}
    inputs = site.inputs
    if inputs.channels > 1 and dims == {inputs.channel_dim}:
        inputs = replace(inputs, channels=inputs.channels // 2)
    return replace(site, inputs=inputs)


def _is_call_of(site: Site, owner: nn.Module, kind: str, number: int) -> bool:
    return (owner, kind) == (site.parent, site.kind) and site.attribute.rpartition("#")[2] in (str(number), "all")


def _kind(made: Made) -> str:
    return made.kind.removesuffix("_")


def _listed(uses: Sequence[Use], names: Mapping[nn.Module, str]) -> str:
    """What takes an output, for people."""
    said = []
    for use in uses:
        if isinstance(use.by, Made):
            said.append(f"{names.get(use.by.owner, '?')}.{use.by.kind}#{use.by.number}".removeprefix("."))
        else:
            said.append(f"a call of {use.by}" if isinstance(use.by, str) else type(use.by).__name__)
    return ", ".join(dict.fromkeys(said)) or "nothing that does"


def _refusal(site: Site, why: str) -> TaskError:
    return TaskError(f"replaced: {site.path}, of kind {site.place_kind!r}: {why}")
