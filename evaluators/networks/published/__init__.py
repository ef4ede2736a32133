"""Small forms of published convolutional networks, for images and signals: BatchNorm and ``nn.ReLU`` in every place."""

from evaluators.networks.published.densenet import densenet
from evaluators.networks.published.inverted import efficientnet, mobilenet
from evaluators.networks.published.preresnet import preresnet

__all__ = ["densenet", "efficientnet", "mobilenet", "preresnet"]
