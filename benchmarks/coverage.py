"""How often 95 % intervals of a mean hold it: Student's t, the percentile bootstrap, the bootstrap-t.

Samples are normal, of recorded gains' residuals, and skewed. The residuals are those of a two-way layout, candidates by
seeds, of the better half of a table, and of the finalists' gains over ReLU in a confirmation on 12 seeds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

from benchmarks.expected import gains_of
from evaluators.training.member import Array

SEEDS = (5, 8, 16, 32)
RESAMPLES = 1000
_ROOT = Path(__file__).parents[1]

Draw = Callable[[np.random.Generator, int, int], Array]


def centred(gains: Array) -> Array:
    """Residuals, in one row."""
    rest: Array = (gains - gains.mean(axis=1, keepdims=True) - gains.mean(axis=0) + gains.mean()).ravel()
    return rest


def of_table(name: str) -> Array:
    """Residuals of the better half of a recorded table."""
    with np.load(_ROOT / "benchmarks" / "data" / f"{name}.npz") as stored:
        losses, reference = stored["losses"][:, -1].astype(np.float64), stored["relu"][-1].astype(np.float64)
    gains = gains_of(losses, reference, range(losses.shape[1]))
    gains = gains[np.isfinite(gains).all(axis=1)]
    return centred(gains[gains.mean(axis=1) >= np.median(gains.mean(axis=1))])


def of_confirmation(name: str) -> Array:
    """Residuals of finalists on fresh seeds."""
    found = json.loads((_ROOT / "docs" / "results" / name / "confirmation.json").read_text())
    return centred(np.array([row["by_seed"]["relu"] for row in found["finalists"] if row["gains"]]))


def resampled(values: Array) -> Draw:
    """Independent draws of given values, with their mean taken off."""
    rest = values - values.mean()
    return lambda rng, count, n: rest[rng.integers(len(rest), size=(count, n))]


def coverage(draw: Draw, n: int, samples: int) -> list[float]:
    """Shares of samples of size n whose interval holds 0, the true mean: t, percentile, bootstrap-t."""
    rng = np.random.default_rng(n)
    hits = np.zeros(3)
    for _ in range(samples // 100):
        hits += _hits(draw(rng, 100, n), rng)
    return [float(share) for share in hits / (samples // 100 * 100)]


def _hits(values: Array, rng: np.random.Generator) -> Array:
    """Of samples x n, how many intervals hold 0."""
    n = values.shape[1]
    mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / n**0.5
    again = np.take_along_axis(values[:, None], rng.integers(n, size=(len(values), RESAMPLES, n)), axis=2)
    means, errors = again.mean(axis=2), again.std(axis=2, ddof=1) / n**0.5
    percentile = np.quantile(means, [0.025, 0.975], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # a resample of one value again and again
        ratios = np.nan_to_num((means - mean[:, None]) / errors, nan=0.0)
    low, high = np.quantile(np.clip(ratios, -1e6, 1e6), [0.025, 0.975], axis=1)
    return np.array(
        [
            np.sum(np.abs(mean) <= stdtrit(n - 1, 0.975) * error),
            np.sum((percentile[0] <= 0) & (percentile[1] >= 0)),
            np.sum((mean - high * error <= 0) & (mean - low * error >= 0)),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=4000)
    samples = parser.parse_args().samples
    draws: dict[str, Draw] = {
        "normal": lambda rng, count, n: rng.normal(size=(count, n)),
        **{name: resampled(of_table(name)) for name in ("swish-5x32", "curves-400", "curves-160")},
        "confirmed swish2017": resampled(of_confirmation("swish2017")),
        "confirmed two units": resampled(of_confirmation("swish2017-two-units")),
        "exponential": lambda rng, count, n: rng.exponential(size=(count, n)) - 1,
        "lognormal, sigma .7": lambda rng, count, n: rng.lognormal(sigma=0.7, size=(count, n)) - np.exp(0.7**2 / 2),
    }
    print(f"{samples} samples, {RESAMPLES} resamples of each; t, percentile bootstrap, bootstrap-t")
    print(f"{'':<20}" + "".join(f"{f'n = {n}':^22}" for n in SEEDS))
    for name, draw in draws.items():
        cells = ("  ".join(f"{share:.3f}" for share in coverage(draw, n, samples)) for n in SEEDS)
        print(f"{name:<20}" + "".join(f"{cell:^22}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
