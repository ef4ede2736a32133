"""Networks of packages that others publish, small and unchanged, each with data and where its activations stand.

The packages are optional: ``pip install 'actsearch[public]'``. Where one is missing, its network cannot be made.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.tasks.base import Task

os.environ.setdefault("DDE_BACKEND", "pytorch")  # deepxde asks for it when it is imported

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


def timm_vit() -> nn.Module:
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(img_size=8, patch_size=4, in_chans=1, num_classes=5, embed_dim=16, depth=2, num_heads=2)


def timm_resnet() -> nn.Module:
    from timm.models.resnet import BasicBlock, ResNet

    return ResNet(BasicBlock, (1, 1, 1, 1), num_classes=5, in_chans=1, stem_width=8, channels=(8, 8, 8, 8))


def timm_convnext() -> nn.Module:
    from timm.models.convnext import ConvNeXt

    return ConvNeXt(in_chans=1, num_classes=5, depths=(1, 1, 1, 1), dims=(8, 8, 16, 16), patch_size=2)


def timm_efficientnet() -> nn.Module:
    import timm

    return timm.create_model("test_efficientnet", pretrained=False, in_chans=1, num_classes=5)


def _config(kind: str, **more: Any) -> Any:
    import transformers

    common = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return getattr(transformers, kind)(**{**common, "num_labels": 5, **more})


def bert() -> nn.Module:
    from transformers import BertForSequenceClassification

    without = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return BertForSequenceClassification(_config("BertConfig", vocab_size=40, max_position_embeddings=16, **without))


def gpt2() -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    ends = {"bos_token_id": 1, "eos_token_id": 2}
    without = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return GPT2LMHeadModel(GPT2Config(vocab_size=40, n_positions=16, n_embd=16, n_layer=2, n_head=2, **ends, **without))


def llama() -> nn.Module:
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM(_config("LlamaConfig", vocab_size=40, max_position_embeddings=16))


def transformers_vit() -> nn.Module:
    from transformers import ViTForImageClassification

    return ViTForImageClassification(_config("ViTConfig", image_size=8, patch_size=4, num_channels=1))


class Graphs(nn.Module):
    """A GCN over a ring of six nodes, the same for all examples."""

    edges: Tensor

    def __init__(self) -> None:
        super().__init__()
        from torch_geometric.nn.models import GCN

        self.gnn = GCN(3, 8, num_layers=3, out_channels=5)
        ring = torch.arange(6)
        self.register_buffer("edges", torch.stack([torch.cat([ring, ring.roll(1)]), torch.cat([ring.roll(1), ring])]))

    def forward(self, x: Tensor) -> Tensor:
        return self.gnn(x, self.edges).mean(dim=1)


def monai_unet() -> nn.Module:
    from monai.networks.nets import UNet

    return UNet(2, 1, 1, channels=(4, 8), strides=(2,), num_res_units=1)


class Actor(nn.Module):
    """The actor of a policy of stable-baselines3; its critic gets no gradient."""

    def __init__(self) -> None:
        super().__init__()
        import numpy as np
        from gymnasium.spaces import Box, Discrete
        from stable_baselines3.common.policies import ActorCriticPolicy

        self.policy = ActorCriticPolicy(Box(-9, 9, (6,), np.float32), Discrete(5), lambda _: 1e-3, net_arch=[8, 8])

    def forward(self, x: Tensor) -> Tensor:
        features = self.policy.extract_features(x)
        hidden: Tensor = self.policy.mlp_extractor.forward_actor(features)
        return self.policy.action_net(hidden)


def siren() -> nn.Module:
    from siren_pytorch import SirenNet

    return SirenNet(dim_in=2, dim_hidden=8, dim_out=1, num_layers=2, w0=30.0)


def x_transformer() -> nn.Module:
    from x_transformers import Decoder, TransformerWrapper

    return TransformerWrapper(
        num_tokens=40, max_seq_len=10, attn_layers=Decoder(dim=16, depth=2, heads=2, attn_dim_head=8)
    )


def vit_pytorch() -> nn.Module:
    from vit_pytorch import ViT

    return ViT(image_size=8, patch_size=4, num_classes=5, dim=16, depth=2, heads=2, dim_head=8, mlp_dim=32, channels=1)


def maf() -> nn.Module:
    from nflows.distributions import StandardNormal
    from nflows.flows import Flow
    from nflows.transforms import CompositeTransform, MaskedAffineAutoregressiveTransform, ReversePermutation

    layers = [MaskedAffineAutoregressiveTransform(4, 8, num_blocks=1), ReversePermutation(4)]
    return Density(Flow(CompositeTransform([*layers, MaskedAffineAutoregressiveTransform(4, 8, num_blocks=1)]),
                        StandardNormal([4])))  # fmt: skip


def real_nvp() -> nn.Module:
    import normflows

    flows = []
    for _ in range(2):
        parameters = normflows.nets.MLP([2, 8, 8, 4], init_zeros=True)
        flows += [normflows.flows.AffineCouplingBlock(parameters), normflows.flows.Permute(4, mode="swap")]
    return Density(normflows.NormalizingFlow(normflows.distributions.DiagGaussian(4), flows))


class Density(nn.Module):
    """The logarithm of a flow's density."""

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, x: Tensor) -> Tensor:
        return self.flow.log_prob(x)  # type: ignore[operator]


def deepxde() -> nn.Module:
    from deepxde.nn.pytorch import FNN

    return FNN([2, 8, 8, 1], "tanh", "Glorot uniform")


def tabnet() -> nn.Module:
    from pytorch_tabnet.tab_network import TabNet

    device = {"group_attention_matrix": torch.eye(6)}
    return TabNet(6, 5, n_d=4, n_a=4, n_steps=2, virtual_batch_size=32, **device)


class Ode(nn.Module):
    """A vector field that torchdiffeq follows in eight steps of Runge and Kutta."""

    def __init__(self) -> None:
        super().__init__()
        self.field, self.head = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 6)), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        from torchdiffeq import odeint

        times = torch.linspace(0.0, 1.0, 9, dtype=x.dtype, device=x.device)
        return self.head(odeint(lambda _, y: self.field(y), x, times, method="rk4")[-1])


class Encoder(nn.Module):
    """torch's own encoder of a Transformer, over six tokens of three numbers."""

    def __init__(self, activation: Any) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation=activation, batch_first=True)
        self.embed, self.encoder, self.head = nn.Linear(3, 8), nn.TransformerEncoder(layer, 2), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.embed(x)).mean(dim=1))


class Lstm(nn.Module):
    """torch's own LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 8, batch_first=True)
        self.head = nn.Sequential(nn.Linear(8, 8), nn.ELU(), nn.Linear(8, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1])


@dataclass(frozen=True, slots=True)
class Public:
    """A network with its data.

    Args:
        package: what has to be installed, as it is imported; "" for torch.
        make: the network.
        data: of a part.
        replaced: as in a task.
        places: names of the modules that are replaced; None if they are calls.
        own: what stands there, as an expression.
        kind: of the loss: of labels, ``"square"``, ``"binary"`` or ``"density"``.
        single: it computes in float32, whatever it gets.
        alone: a part of the text that says why it cannot be stacked, or "".
    """

    package: str
    make: Callable[[], nn.Module]
    data: Callable[[str], tuple[Any, Tensor]]
    replaced: tuple[type[nn.Module] | str, ...]
    places: tuple[str, ...] | None
    own: str
    kind: str = "labels"
    single: bool = False
    alone: str = ""


IMAGES = _normals(1, 8, 8)
_MIDDLE = ("blocks.3.0.bn2.act", "blocks.3.0.se.act1")
GELU, TANH = "gelu(x)", "tanh(x)"
TANH_GELU = "0.5*x*(1+tanh(0.7978845608028654*(x+0.044715*x**3)))"

NETWORKS: dict[str, Public] = {
    "timm ViT": Public("timm", timm_vit, IMAGES, (nn.GELU,), ("blocks.0.mlp.act", "blocks.1.mlp.act"), GELU),
    "timm ResNet": Public(
        "timm", timm_resnet, IMAGES, (nn.ReLU,),
        ("act1", *(f"layer{i}.0.act{j}" for i in range(1, 5) for j in (1, 2))), "relu(x)",
    ),
    "timm ConvNeXt": Public(
        "timm", timm_convnext, _normals(1, 32, 32), ("*.mlp.act",),
        tuple(f"stages.{i}.blocks.0.mlp.act" for i in range(4)), GELU,
    ),
    "timm EfficientNet": Public(
        "timm", timm_efficientnet, _normals(1, 16, 16), (nn.SiLU,),
        ("bn1.act", *(f"blocks.{i}.0.bn1.act" for i in range(4)), *_MIDDLE, "blocks.4.0.bn1.act",
         *(name.replace("3", "4") for name in _MIDDLE), "bn2.act"), "silu(x)",
    ),
    "transformers BERT": Public(
        "transformers", bert, _sentences, ("*.intermediate_act_fn",),
        tuple(f"bert.encoder.layer.{i}.intermediate.intermediate_act_fn" for i in range(2)), GELU,
        alone="masking_utils.py, line",
    ),
    "transformers GPT-2": Public(
        "transformers", gpt2, _next_words, ("*.mlp.act",), tuple(f"transformer.h.{i}.mlp.act" for i in range(2)),
        TANH_GELU,
    ),
    "transformers Llama": Public(
        "transformers", llama, _next_words, ("*.act_fn",), tuple(f"model.layers.{i}.mlp.act_fn" for i in range(2)),
        "silu(x)",
    ),
    "transformers ViT": Public(
        "transformers", transformers_vit, IMAGES, ("*.activation_fn",),
        tuple(f"vit.layers.{i}.mlp.activation_fn" for i in range(2)), GELU,
    ),
    "torch_geometric GCN": Public("torch_geometric", Graphs, _normals(6, 3), (nn.ReLU,), ("gnn.act",), "relu(x)"),
    "MONAI UNet": Public(
        "monai", monai_unet, _masks, (nn.PReLU,),
        ("model.0.conv.unit0.adn.A", "model.1.submodule.conv.unit0.adn.A", "model.2.0.adn.A"),
        "max(x,0)+beta*min(x,0); beta=0.25", kind="binary",
    ),
    "stable-baselines3 actor": Public(
        "stable_baselines3", Actor, _normals(6), ("policy.mlp_extractor.policy_net.[13]",),
        ("policy.mlp_extractor.policy_net.1", "policy.mlp_extractor.policy_net.3"), TANH,
        single=True,
    ),
    "siren-pytorch": Public("siren_pytorch", siren, _points, ("layers.*.activation",),
        ("layers.0.activation", "layers.1.activation"), "sin(30*x)", kind="square"),
    "x-transformers": Public("x_transformers", x_transformer, _next_words, (nn.GELU,),
        ("attn_layers.layers.1.1.ff.0.1", "attn_layers.layers.3.1.ff.0.1"), GELU,
    ),
    "vit-pytorch": Public("vit_pytorch", vit_pytorch, IMAGES, (nn.GELU,),
        ("transformer.layers.0.1.net.2", "transformer.layers.1.1.net.2"), GELU,
    ),
    "nflows MAF": Public("nflows", maf, _vectors, (nn.ReLU,), None, "relu(x)", kind="density"),
    "normflows RealNVP": Public(
        "normflows", real_nvp, _vectors, (nn.LeakyReLU,),
        tuple(f"flow.flows.{i}.flows.1.param_map.net.{j}" for i in (0, 2) for j in (1, 3)), "relu(x)", kind="density",
        alone="broadcast shape",
    ),
    "deepxde FNN": Public("deepxde", deepxde, _points, (nn.Tanh,), None, TANH, kind="square"),
    "pytorch-tabnet": Public("pytorch_tabnet", tabnet, _normals(6), (nn.ReLU,), None, "relu(x)"),
    "torchdiffeq": Public("torchdiffeq", Ode, _normals(6), (nn.Tanh,), ("field.1",), TANH, alone="inplace arithmetic"),
    "torch encoder, module": Public(
        "", lambda: Encoder(nn.GELU()), _normals(6, 3), (nn.GELU,),
        ("encoder.layers.0.activation", "encoder.layers.1.activation"), GELU,
    ),
    "torch encoder, by name": Public("", lambda: Encoder("gelu"), _normals(6, 3), (nn.GELU,), None, GELU),
    "torch LSTM": Public("", Lstm, _normals(4, 3), (nn.ELU,), ("head.1",), "elu(x)", alone="aten::lstm"),
}  # fmt: skip


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
