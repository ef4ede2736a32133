"""Calibration: whether the probability that a network gives its prediction is how often it is right."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from evaluators.objectives.measured import MeasuredObjective
from evaluators.objectives.predictions.looks import check_classes, on_validation
from evaluators.training.models import Models

BINS, FEW_BINS, FEW = 15, 10, 1000  # the second where a model has fewer predictions than the third
IGNORED = -100  # a label that torch's cross-entropy leaves out


class Ece(MeasuredObjective):
    """Expected calibration error on all validation examples, mean over the seeds: 0 is calibrated.

    The predictions of a model are put in bins of equal width by their confidence, the largest probability; right ends
    belong to a bin. Each bin counts by its share of the predictions. A model that is always sure and right has 0, too.
    """

    name = "ece"
    unit = "share"
    direction = "minimize"
    formula = (
        "sum over bins of share of predictions * |accuracy - mean confidence|, "
        f"{BINS} bins, {FEW_BINS} below {FEW:,} predictions"
    )
    source = "Guo et al. 2017, arXiv:1706.04599"

    def check(self, models: Models) -> None:
        check_classes(models, self.name)

    def measure(self, models: Models) -> Tensor:
        rows = [row[row[:, 2] > 0] for row in on_validation(models, _judged)]
        return torch.stack([calibration_error(row[:, 0], row[:, 1]) for row in rows]).mean()


class Brier(MeasuredObjective):
    """Mean over all validation examples and the seeds of the squared distance of the probabilities from the label's."""

    name = "brier"
    unit = "squared distance"
    direction = "minimize"
    formula = "mean of sum over classes of (p - 1 of the label's, 0 of the others)^2, from 0 to 2"
    source = "Brier 1950, Monthly Weather Review 78(1)"

    def check(self, models: Models) -> None:
        check_classes(models, self.name)

    def measure(self, models: Models) -> Tensor:
        scores, counted = on_validation(models, _scores).unbind(dim=-1)
        return ((scores * counted).sum(dim=1) / counted.sum(dim=1)).mean()


def calibration_error(confidences: Tensor, hits: Tensor) -> Tensor:
    """The expected calibration error of one model; NaN where a confidence is.

    Args:
        confidences: from 0 to 1, shape (predictions,), float64.
        hits: 1 where a prediction is right, else 0, likewise.
    """
    bins = FEW_BINS if len(hits) < FEW else BINS
    places = (confidences * bins).ceil().long().sub(1).clamp(0, bins - 1)
    gaps = torch.zeros(bins, dtype=hits.dtype, device=hits.device).index_add(0, places, hits - confidences)
    return gaps.abs().sum() / len(hits)


def _judged(outputs: Tensor, targets: Any) -> Tensor:
    """Of each prediction its confidence, whether it is right, and whether it has a label; (models, predictions, 3)."""
    confidences, predicted = outputs.softmax(dim=-1).max(dim=-1)
    labels = targets.reshape(predicted.shape)
    return torch.stack([confidences, predicted == labels, labels != IGNORED], dim=-1).flatten(1, -2)


def _scores(outputs: Tensor, targets: Any) -> Tensor:
    """Of each prediction its score, and whether it has a label; shape (models, predictions, 2)."""
    labels = targets.reshape(outputs.shape[:-1])
    truth = one_hot(labels.clamp_min(0), outputs.shape[-1])
    scores = (outputs.softmax(dim=-1) - truth).square().sum(dim=-1)
    return torch.stack([scores, labels != IGNORED], dim=-1).flatten(1, -2)
