"""Networks of the shipped tasks: ordinary modules with ``nn.ReLU`` where the candidate goes."""

from evaluators.networks.cnn import cnn, signal_cnn
from evaluators.networks.coordinates import CoordinateNetwork, WithDerivatives
from evaluators.networks.denoiser import denoiser
from evaluators.networks.graph import GraphNetwork
from evaluators.networks.kan import EdgeLayer, kan
from evaluators.networks.mlp import mlp, skipping_mlp
from evaluators.networks.recurrent import GatedUnits, gru
from evaluators.networks.residual import Residual
from evaluators.networks.resnet import resnet
from evaluators.networks.transformer import Attention, PatchTransformer, Transformer

__all__ = [
    "Attention",
    "CoordinateNetwork",
    "EdgeLayer",
    "GatedUnits",
    "GraphNetwork",
    "PatchTransformer",
    "Residual",
    "Transformer",
    "WithDerivatives",
    "cnn",
    "denoiser",
    "gru",
    "kan",
    "mlp",
    "resnet",
    "signal_cnn",
    "skipping_mlp",
]
