"""Properties of a function without training: Gaussian moments, mean-field constants, shape, finite values."""

from primitives.analysis.analyse import Analysis, analyse
from primitives.analysis.critical import critical, critical_scale
from primitives.analysis.features import Gaussian
from primitives.analysis.finiteness import breakdown, finite, sketched_chi
from primitives.analysis.gaussian import Moments, moments, output_factor
from primitives.analysis.mean_field import (
    EdgeOfChaos,
    MeanField,
    edge_of_chaos,
    half_stable,
    information_depth,
    mean_field,
)
from primitives.analysis.shape import Shape
from primitives.analysis.tangent_kernel import DeepLimit, deep_limit

__all__ = [
    "Analysis",
    "DeepLimit",
    "EdgeOfChaos",
    "Gaussian",
    "MeanField",
    "Moments",
    "Shape",
    "analyse",
    "breakdown",
    "critical",
    "critical_scale",
    "deep_limit",
    "edge_of_chaos",
    "finite",
    "half_stable",
    "information_depth",
    "mean_field",
    "moments",
    "output_factor",
    "sketched_chi",
]
