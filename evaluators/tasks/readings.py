"""Numbers that readers know, of outputs and targets of a whole held-out set: accuracy, R^2, PSNR."""

from __future__ import annotations

from torch import Tensor


def accuracy(output: Tensor, target: Tensor) -> Tensor:
    """For each example 1 where the largest logit is the label's, else 0; of tokens the mean over them.

    Args:
        output: logits, whose last dimension are the classes.
        target: labels.

    Returns:
        Shape (examples,).
    """
    hits = (output.argmax(dim=-1).reshape(target.shape) == target).double()
    return hits.flatten(1).mean(dim=1) if hits.dim() > 1 else hits


def r_squared(output: Tensor, target: Tensor) -> Tensor:
    """1 - sum of squared errors / sum of squared distances from the mean; of several outputs the mean of theirs.

    As ``sklearn.metrics.r2_score``, but not finite where all targets are equal.

    Returns:
        One number without a dimension; 1 is perfect, 0 as good as the mean of the targets.
    """
    expected = target.double().reshape(len(target), -1)
    errors = expected - output.double().reshape(expected.shape)
    around = expected - expected.mean(dim=0)
    return (1.0 - errors.square().sum(dim=0) / around.square().sum(dim=0)).mean()


def psnr(output: Tensor, target: Tensor, peak: float = 1.0) -> Tensor:
    """Peak signal-to-noise ratio of all examples together, 10 log10(peak^2 / mean squared error), in dB.

    Args:
        output: of the shape of the targets.
        target: such as pixels.
        peak: the largest signal, in the unit of the targets.

    Returns:
        One number without a dimension.
    """
    errors = target.double() - output.double().reshape(target.shape)
    return 10.0 * (peak**2 / errors.square().mean()).log10()


def auroc(known: Tensor, unknown: Tensor) -> Tensor:
    """Area under the ROC curve: how often a score of what is known is above one of what is not, ties counting half.

    Args:
        known: scores, shape (examples,); these should be higher.
        unknown: scores, shape (other examples,).

    Returns:
        One number without a dimension, from 0 to 1, 0.5 by chance; NaN where a score is.
    """
    apart = known.double()[:, None] - unknown.double()
    return (apart > 0).double().mean() + 0.5 * (apart == 0).double().mean() + 0.0 * apart.mean()


def fpr95(known: Tensor, unknown: Tensor) -> Tensor:
    """Share of what is not known whose score is at least that which 95 % of the known reach.

    Args:
        known: scores, shape (examples,); these should be higher.
        unknown: scores, shape (other examples,).

    Returns:
        One number without a dimension, from 0, the best, to 1; NaN where a score is.
    """
    threshold = known.double().sort().values[len(known) * 5 // 100]
    return (unknown.double() >= threshold).double().mean() + 0.0 * (known.mean() + unknown.mean()).double()
