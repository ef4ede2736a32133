"""What is expected of the best of a search, beside what other seeds give them: bias of three rules.

Each recorded table is divided by seeds, in every way: one part is the search, the other the confirmation. The five of
the highest gain in the search are chosen. What the seeds do to all alike, the reference among them, is taken out: the
mean over the better half of the table (by all seeds) is the same in both parts. Then simulated fields with known true
gains show how often the interval holds them; "bare" is that of the posterior alone.

- gain: the search's own
- shrunk: pulled to the mean of the field by 1 - 1/F (Efron and Morris 1973), the rule until this one
- expected: the posterior mean of `evaluators.expected_gain`
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluators.expected_gain import EVEN_ROWS, expected_gains, noise
from evaluators.training.member import Array

TABLES = {"curves-160": 2, "curves-400": 2, "swish-5x32": 3}  # seeds of the search, of 3, 3 and 6
BEST, REPETITIONS = 5, 40


def _near_0(rng: np.random.Generator, rows: int) -> Array:
    return np.where(rng.random(rows) < 0.95, rng.normal(0.0, 0.03, rows), rng.normal(0.2, 0.1, rows))


_FIELDS: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "many near 0, few large": _near_0,
    "normal": lambda rng, rows: rng.normal(-0.1, 0.1, rows),
    "mostly bad": lambda rng, rows: 0.3 - rng.exponential(0.3, rows),
    "0, or exponential": lambda rng, rows: np.where(rng.random(rows) < 0.9, 0.0, rng.exponential(0.15, rows)),
    "0 or .3": lambda rng, rows: np.where(rng.random(rows) < 0.98, 0.0, 0.3),
    "all 0": lambda rng, rows: np.zeros(rows),
}


def shrunk(field: Array, chosen: Array) -> Array:
    """The rule until this one: normal true gains."""
    means, (rows, seeds) = field.mean(axis=1), field.shape
    residuals = field - means[:, None] - field.mean(axis=0) + field.mean()
    within = float((residuals**2).sum()) / ((rows - 1) * (seeds - 1)) / seeds
    centre, trust = float(means.mean()), max(0.0, 1 - within / float(means.var(ddof=1)))
    pulled: Array = centre + trust * (chosen - centre)
    return pulled


def gains_of(losses: Array, reference: Array, seeds: Sequence[int]) -> Array:
    """Gains (functions, seeds), each with the best rate for these seeds; NaN where it failed."""
    logs, base = np.log(losses[:, list(seeds)]), np.log(reference[list(seeds)])
    means = logs.mean(axis=1)
    rates = np.where(np.isnan(means), np.inf, means).argmin(axis=1)
    gains: Array = base[:, base.mean(axis=0).argmin(), None].T - logs[np.arange(len(logs)), :, rates]
    return gains


def of_table(name: str, seeds: int, kept: float = 1.0) -> tuple[Array, float]:
    """Errors of the three rules, one row for each division by seeds; the noise of a mean.

    Of the table only the share ``kept`` of the lowest loss at a quarter of the steps takes part, as after a rung.
    """
    with np.load(Path(__file__).parent / "data" / f"{name}.npz") as stored:
        curves, reference = stored["losses"].astype(np.float64), stored["relu"][-1].astype(np.float64)
    losses, errors, noises = curves[:, -1], list[list[float]](), list[float]()
    everyone = range(losses.shape[1])
    overall = gains_of(losses, reference, everyone).mean(axis=1)
    better = overall >= np.nanmedian(overall)
    for part in itertools.combinations(everyone, seeds):
        searched = gains_of(losses, reference, part)
        other = gains_of(losses, reference, [n for n in everyone if n not in part]).mean(axis=1)
        known = np.isfinite(searched).all(axis=1) & np.isfinite(other)
        shift = (searched.mean(axis=1) - other)[known & better].mean()
        early = np.log(curves[:, 2, list(part)]).mean(axis=1)
        early = np.where(np.isnan(early), np.inf, early).min(axis=1)
        known &= early <= np.quantile(early[known], kept)
        field, confirmed = searched[known], other[known] + shift
        best = np.argsort(-field.mean(axis=1))[:BEST]
        errors.append(_errors(field, best, confirmed[best]))
        noises.append(noise(field))
    return np.array(errors), float(np.mean(noises))


def _errors(field: Array, best: NDArray[np.intp], true: Array) -> list[float]:
    """Mean error of gain, shrunk, expected; share of true gains in the posterior's interval, in ours; its length."""
    chosen = field.mean(axis=1)[best]
    found = [expected_gains(field, field[best], rows) or [] for rows in (0, EVEN_ROWS)]
    bare, ours = (np.array([(each.mean, each.low, each.high) for each in rows]) for rows in found)
    means = [float((rule - true).mean()) for rule in (chosen, shrunk(field, chosen), ours[:, 0])]
    held = [float(((each[:, 1] <= true) & (true <= each[:, 2])).mean()) for each in (bare, ours)]
    return [*means, *held, float((ours[:, 2] - ours[:, 1]).mean())]


def simulated(draw: Callable[[np.random.Generator, int], Array], rows: int) -> Array:
    """Means of :func:`_errors` over repetitions, two seeds, noise .1 of a mean."""
    found = []
    for repetition in range(REPETITIONS):
        rng = np.random.default_rng(repetition)
        true = draw(rng, rows)
        field = true[:, None] + rng.normal(0.0, 0.1 * 2**0.5, (rows, 2))
        best = np.argsort(-field.mean(axis=1))[:BEST]
        found.append(_errors(field, best, true[best]))
    means: Array = np.mean(found, axis=0)
    return means


def main() -> None:
    rules = f"{'gain':>9}{'shrunk':>9}{'expected':>10}"
    print(f"{'table':<24}{'kept':>6}{'noise':>7}{rules}{'error':>8}  standard, over the divisions by seeds")
    for (name, seeds), kept in itertools.product(TABLES.items(), (1.0, 0.5, 0.2)):
        errors, s = of_table(name, seeds, kept)
        gain, pulled, expected = errors.mean(axis=0)[:3]
        spread = errors[:, 2].std(ddof=1) / len(errors) ** 0.5
        print(f"{name:<24}{kept:>6}{s:>7.3f}{gain:>+9.3f}{pulled:>+9.3f}{expected:>+10.3f}{spread:>8.3f}")
    print(f"\n{'simulated':<24}{'rows':>6}{'':>7}{rules}{'bare':>8}{'covered':>9}{'length':>8}")
    for (name, draw), rows in itertools.product(_FIELDS.items(), (60, 300, 2000)):
        gain, pulled, expected, bare, covered, length = simulated(draw, rows)
        numbers = f"{gain:>+9.3f}{pulled:>+9.3f}{expected:>+10.3f}{bare:>8.2f}{covered:>9.2f}{length:>8.2f}"
        print(f"{name:<24}{rows:>6}{'':>7}{numbers}")


if __name__ == "__main__":
    main()
