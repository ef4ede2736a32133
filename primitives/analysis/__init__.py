"""Properties of a function without training: Gaussian moments, mean-field constants, shape, finite values."""

from primitives.analysis.analyse import Analysis, analyse
from primitives.analysis.critical import critical, critical_scale
from primitives.analysis.features import Gaussian
from primitives.analysis.finiteness import breakdown, finite, sketched_chi
from primitives.analysis.gaussian import Moments, moments, output_factor
from primitives.analysis.mean_field import EdgeOfChaos, MeanField, edge_of_chaos, half_stable, mean_field
from primitives.analysis.shape import Shape

__all__ = [
    "Analysis",
    "EdgeOfChaos",
    "Gaussian",
    "MeanField",
    "Moments",
    "Shape",
    "analyse",
    "breakdown",
    "critical",
    "critical_scale",
    "edge_of_chaos",
    "finite",
    "half_stable",
    "mean_field",
    "moments",
    "output_factor",
    "sketched_chi",
]
