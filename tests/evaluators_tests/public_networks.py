"""Networks of packages that others publish, small and unchanged.

The packages are optional, ``pip install -c constraints.txt -e '.[dev,public]'``; each is imported where its network is
made. timm and vit-pytorch need a torchvision of torch's own kind, with CUDA or without.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor, nn

os.environ.setdefault("DDE_BACKEND", "pytorch")  # deepxde asks for it when it is imported


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
