"""Tasks of public networks: each with data, and where its activations stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.tasks.base import Replaced, Task
from tests.evaluators_tests import public_networks as networks

EXAMPLES, CLASSES = 96, 5


def _generator(part: str) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(len(part))


def _labels(part: str) -> Tensor:
    return torch.randint(CLASSES, (EXAMPLES,), generator=torch.Generator("cpu").manual_seed(7 + len(part)))


def _normals(*shape: int) -> Callable[[str], tuple[Tensor, Tensor]]:
    return lambda part: (torch.randn(EXAMPLES, *shape, generator=_generator(part)), _labels(part))


def _points(part: str) -> tuple[Tensor, Tensor]:
    """Coordinates, and a wave over them."""
    x = 2.0 * torch.rand(EXAMPLES, 2, generator=_generator(part)) - 1.0
    return x, torch.sin(3.0 * x.sum(dim=1, keepdim=True))


def _masks(part: str) -> tuple[Tensor, Tensor]:
    """Images, and which of their pixels are above 0 after smoothing."""
    x = torch.randn(EXAMPLES, 1, 8, 8, generator=_generator(part))
    return x, F.avg_pool2d(x, 3, 1, 1).gt(0).float()


def _vectors(part: str) -> tuple[Tensor, Tensor]:
    """For a density: the targets do not count."""
    x = torch.randn(EXAMPLES, 4, generator=_generator(part))
    return x, torch.zeros(EXAMPLES)


def _sentences(part: str) -> tuple[dict[str, Tensor], Tensor]:
    """Tokens by the names that transformers have, the last ones of some sentences masked."""
    words = torch.randint(3, 40, (EXAMPLES, 10), generator=_generator(part))
    mask = (torch.arange(10) < torch.randint(5, 11, (EXAMPLES, 1), generator=_generator(part))).long()
    return {"input_ids": words, "attention_mask": mask}, _labels(part)


def _next_words(part: str) -> tuple[Tensor, Tensor]:
    words = torch.randint(3, 40, (EXAMPLES, 11), generator=_generator(part))
    return words[:, :-1], words[:, 1:]


@dataclass(frozen=True, slots=True)
class Public:
    """A network with its data.

    Args:
        package: what has to be installed, as it is imported; "" for torch.
        make: the network.
        data: of a part.
        places: names of the modules and calls that are replaced.
        own: what stands there, as an expression.
        kind: of the loss: of labels, ``"square"``, ``"binary"`` or ``"density"``.
        single: it computes in float32, whatever it gets.
        alone: a part of the text that says why it cannot be stacked, or "".
        replaced: as in a task.
    """

    package: str
    make: Callable[[], nn.Module]
    data: Callable[[str], tuple[Any, Tensor]]
    places: tuple[str, ...]
    own: str
    kind: str = "labels"
    single: bool = False
    alone: str = ""
    replaced: Replaced | None = None


IMAGES = _normals(1, 8, 8)
_MIDDLE = ("blocks.3.0.bn2.act", "blocks.3.0.se.act1")
GELU, TANH = "gelu(x)", "tanh(x)"
TANH_GELU = "0.5*x*(1+tanh(0.7978845608028654*(x+0.044715*x**3)))"

NETWORKS: dict[str, Public] = {
    "timm ViT": Public("timm", networks.timm_vit, IMAGES, ("blocks.0.mlp.act", "blocks.1.mlp.act"), GELU),
    "timm ResNet": Public(
        "timm",
        networks.timm_resnet,
        IMAGES,
        ("act1", *(f"layer{i}.0.act{j}" for i in range(1, 5) for j in (1, 2))),
        "relu(x)",
    ),
    "timm ConvNeXt": Public(
        "timm",
        networks.timm_convnext,
        _normals(1, 32, 32),
        tuple(f"stages.{i}.blocks.0.mlp.act" for i in range(4)),
        GELU,
    ),
    "timm EfficientNet": Public(
        "timm",
        networks.timm_efficientnet,
        _normals(1, 16, 16),
        (
            "bn1.act",
            *(f"blocks.{i}.0.bn1.act" for i in range(4)),
            *_MIDDLE,
            "blocks.4.0.bn1.act",
            *(name.replace("3", "4") for name in _MIDDLE),
            "bn2.act",
        ),
        "silu(x)",
    ),
    "transformers BERT": Public(
        "transformers",
        networks.bert,
        _sentences,
        tuple(f"bert.encoder.layer.{i}.intermediate.intermediate_act_fn" for i in range(2)),
        GELU,
        alone="masking_utils.py, line",
    ),
    "transformers GPT-2": Public(
        "transformers",
        networks.gpt2,
        _next_words,
        tuple(f"transformer.h.{i}.mlp.act" for i in range(2)),
        TANH_GELU,
    ),
    "transformers Llama": Public(
        "transformers",
        networks.llama,
        _next_words,
        tuple(f"model.layers.{i}.mlp.act_fn" for i in range(2)),
        "silu(x)",
    ),
    "transformers ViT": Public(
        "transformers",
        networks.transformers_vit,
        IMAGES,
        tuple(f"vit.layers.{i}.mlp.activation_fn" for i in range(2)),
        GELU,
    ),
    "torch_geometric GCN": Public("torch_geometric", networks.Graphs, _normals(6, 3), ("gnn.act",), "relu(x)"),
    "MONAI UNet": Public(
        "monai",
        networks.monai_unet,
        _masks,
        ("model.0.conv.unit0.adn.A", "model.1.submodule.conv.unit0.adn.A", "model.2.0.adn.A"),
        "max(x,0)+beta*min(x,0); beta=0.25",
        kind="binary",
    ),
    "stable-baselines3 actor": Public(
        "stable_baselines3",
        networks.Actor,
        _normals(6),
        ("policy.mlp_extractor.policy_net.1", "policy.mlp_extractor.policy_net.3"),
        TANH,
        single=True,
    ),
    "siren-pytorch": Public(
        "siren_pytorch",
        networks.siren,
        _points,
        ("layers.0.activation", "layers.1.activation"),
        "sin(30*x)",
        kind="square",
        replaced=("layers.*.activation",),
    ),
    "x-transformers": Public(
        "x_transformers",
        networks.x_transformer,
        _next_words,
        ("attn_layers.layers.1.1.ff.0.1", "attn_layers.layers.3.1.ff.0.1"),
        GELU,
    ),
    "vit-pytorch": Public(
        "vit_pytorch",
        networks.vit_pytorch,
        IMAGES,
        ("transformer.layers.0.1.net.2", "transformer.layers.1.1.net.2"),
        GELU,
    ),
    "nflows MAF": Public(
        "nflows",
        networks.maf,
        _vectors,
        tuple(f"flow._transform._transforms.{i}.autoregressive_net.blocks.0.relu#{j}" for i in (0, 2) for j in (1, 2)),
        "relu(x)",
        kind="density",
    ),
    "normflows RealNVP": Public(
        "normflows",
        networks.real_nvp,
        _vectors,
        tuple(f"flow.flows.{i}.flows.1.param_map.net.{j}" for i in (0, 2) for j in (1, 3)),
        "relu(x)",
        kind="density",
        alone="broadcast shape",
    ),
    "deepxde FNN": Public("deepxde", networks.deepxde, _points, ("tanh#1", "tanh#2"), TANH, kind="square"),
    "pytorch-tabnet": Public(
        "pytorch_tabnet",
        networks.tabnet,
        _normals(6),
        ("tabnet.encoder.relu#1", "tabnet.encoder.relu#2"),
        "relu(x)",
        single=True,
        alone="sparsemax.py, line",
    ),
    "torchdiffeq": Public("torchdiffeq", networks.Ode, _normals(6), ("field.1",), TANH, alone="inplace arithmetic"),
    "torch encoder, module": Public(
        "",
        lambda: networks.Encoder(nn.GELU()),
        _normals(6, 3),
        ("encoder.layers.0.activation", "encoder.layers.1.activation"),
        GELU,
    ),
    "torch encoder, by name": Public(
        "",
        lambda: networks.Encoder("gelu"),
        _normals(6, 3),
        ("encoder.layers.0.gelu#1", "encoder.layers.1.gelu#1"),
        GELU,
    ),
    "torch LSTM": Public("", networks.Lstm, _normals(4, 3), ("head.1",), "elu(x)", alone="aten::lstm"),
}


class PublicTask(Task):
    """A task of one of them, with the loss of labels."""

    batch_size = 32
    learning_rates: tuple[float, ...] = (1e-3, 1e-2)

    def __init__(self, kind: str) -> None:
        self.name, self.public = kind, NETWORKS[kind]
        self.replaced = self.public.replaced

    def network(self) -> nn.Module:
        return self.public.make()

    def data(self, part: str) -> Any:
        return self.public.data(part)


class OtherLoss(PublicTask):
    """With a loss of its own."""

    compare = "difference"

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return LOSSES[self.public.kind](output, target)


#: Of each example.
LOSSES: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "square": lambda output, target: (output - target).square().mean(dim=1),
    "binary": lambda output, target: F.binary_cross_entropy_with_logits(output, target, reduction="none").mean(
        dim=(1, 2, 3)
    ),
    "density": lambda output, target: -output,
}


def public_task(kind: str) -> PublicTask:
    return (PublicTask if NETWORKS[kind].kind == "labels" else OtherLoss)(kind)
