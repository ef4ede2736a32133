"""Networks of the shipped tasks: ordinary modules with ``nn.ReLU`` where the candidate goes."""

from evaluators.networks.cnn import cnn
from evaluators.networks.coordinates import CoordinateNetwork, WithDerivatives
from evaluators.networks.denoiser import denoiser
from evaluators.networks.mlp import mlp
from evaluators.networks.residual import Residual
from evaluators.networks.transformer import Attention, Transformer

__all__ = ["Attention", "CoordinateNetwork", "Residual", "Transformer", "WithDerivatives", "cnn", "denoiser", "mlp"]
