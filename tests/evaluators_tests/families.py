"""One tiny task for each network family, and one with a gradient for each example, with data out of a generator."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from evaluators.networks import (
    CoordinateNetwork,
    PatchTransformer,
    Transformer,
    WithDerivatives,
    cnn,
    gru,
    kan,
    mlp,
    resnet,
    signal_cnn,
    skipping_mlp,
)
from evaluators.tasks.base import Task
from evaluators.tasks.shipped.physics.bound_states import BoundState, TrialState

EXAMPLES = 128


class PerExample(nn.Module):
    """A network's output and, beside it, how steep each example's squared output is in the weights."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        layers = {path: layer for path, layer in self.inner.named_modules() if isinstance(layer, nn.Linear)}
        weights = {f"{path}.weight": layer.weight for path, layer in layers.items()}
        gradients = torch.func.vmap(torch.func.grad(self._square), in_dims=(None, 0))(weights, x)
        steepness = torch.stack([g.flatten(1).square().sum(dim=1) for g in gradients.values()], dim=1)
        return torch.cat([self.inner(x), steepness.sum(dim=1, keepdim=True)], dim=1)

    def _square(self, weights: dict[str, Tensor], example: Tensor) -> Tensor:
        output: Tensor = torch.func.functional_call(self.inner, weights, (example[None],))
        return output.square().sum()


Made = tuple[Callable[[], nn.Module], tuple[int, ...]]  # a network, and the shape of an example
FAMILIES: dict[str, Made] = {
    "mlp": (lambda: mlp(12, 8, 3, 5), (12,)),
    "mlp-norm": (lambda: mlp(12, 8, 3, 5, normalised=True), (12,)),
    "mlp-residual": (lambda: mlp(12, 8, 3, 5, residual=True), (12,)),
    "mlp-norm-residual": (lambda: mlp(12, 8, 3, 5, normalised=True, residual=True), (12,)),
    "cnn": (lambda: cnn(1, 4, 2, 5), (1, 6, 6)),
    "cnn-norm": (lambda: cnn(1, 4, 2, 5, groups=2), (1, 6, 6)),
    "transformer": (lambda: Transformer(width=8, depth=1, heads=2, context=6, vocabulary=16), (6,)),
    "coordinates": (lambda: CoordinateNetwork(2, 8, 2, 3, frequency=3.0), (2,)),
    "derivatives": (lambda: WithDerivatives(CoordinateNetwork(1, 8, 2, 1)), (1,)),
    "state": (lambda: BoundState(TrialState(CoordinateNetwork(1, 8, 2, 2), 0.5, 1.0)), (2,)),
    "skipping": (lambda: skipping_mlp(12, 8, 3, 5), (12,)),
    "signals": (lambda: signal_cnn(12, 4, 2, 5), (1, 12)),
    "gru": (lambda: gru(5, 4, 2, 5), (5, 1)),
    "patches": (lambda: PatchTransformer(3, 4, 8, 1, heads=2, outputs=5), (3, 4)),
    "kan": (lambda: kan(4, 3, 2, 5), (4,)),
    "resnet": (lambda: resnet(1, 4, 1, 5), (1, 6, 6)),
    "resnet-signals": (lambda: resnet(1, 4, 1, 5, dimensions=1), (1, 12)),
    "perexample": (lambda: PerExample(mlp(12, 8, 2, 5)), (12,)),
}
#: Sizes at which torch and oneDNN take other kernels.
LARGE: dict[str, Made] = {
    "mlp-large": (lambda: mlp(64, 32, 50, 10, normalised=True, residual=True), (64,)),
    "cnn-large": (lambda: cnn(3, 16, 3, 10, groups=4), (3, 16, 16)),
    "transformer-large": (lambda: Transformer(64, 2, 4, context=32), (32,)),
    "coordinates-large": (lambda: CoordinateNetwork(2, 64, 3, 3), (2,)),
}


class Family(Task):
    """A family's network on random data; colours and an equation's residual are fitted by squares."""

    batch_size = 32
    learning_rates: tuple[float, ...] = (1e-3, 1e-2)
    initial, scale = "drawn", "unit"  # as the shipped tasks

    def __init__(self, name: str, **settings: object) -> None:
        self.name = name
        self.kind = name.split("-")[0]
        if self.kind in ("derivatives", "state", "perexample"):  # one model at a time, a step takes 10 ms
            self.learning_rates = (3e-3,)
        for setting, value in settings.items():
            setattr(self, setting, value)

    def network(self) -> nn.Module:
        return (FAMILIES | LARGE)[self.name][0]()

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        generator = torch.Generator("cpu").manual_seed(len(part))
        shape = (FAMILIES | LARGE)[self.name][1]
        if self.kind == "transformer":
            tokens = torch.randint(16, (EXAMPLES, shape[0] + 1), generator=generator, device="cpu")
            return tokens[:, :-1], tokens[:, 1:]
        x = torch.randn(EXAMPLES, *shape, generator=generator, device="cpu")
        if self.kind in ("coordinates", "derivatives", "state"):
            return x.tanh(), torch.sin(3 * x[:, :1]) * torch.tensor([1.0, 0.5, -1.0], device="cpu")
        return x, torch.randint(5, (EXAMPLES,), generator=generator, device="cpu")

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        if self.kind == "coordinates":
            return (output - target).square().mean(dim=1)
        if self.kind == "derivatives":  # u + u' - u'' = f
            return (output @ output.new_tensor([1.0, 1.0, -1.0]) - target[:, 0]).square()
        if self.kind == "state":  # a sum over the batch among them
            return (output @ output.new_tensor([1.0, -0.1, 0.1, 0.1]) - target[:, 0]).square()
        if self.kind == "perexample":
            return super().loss(output[:, :-1], target) + 1e-3 * output[:, -1]
        return super().loss(output, target)
