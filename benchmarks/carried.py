"""How often a job confirms what is no better than the best known function, by how many known ones are carried.

Simulated jobs: the true gains of the known functions are those of a recorded table (their means over all seeds), the
noise of a seed is normal with the table's deviation. A job ranks them by two seeds, races the best quarter on four,
carries one, two, or those of the rule (``search.confirmation.carried``), and compares five finalists with them on 32
fresh seeds. All finalists are exactly as good as the best known function in truth, so each confirmation is wrong.

    python -m benchmarks.carried benchmarks/data/known/*.npz benchmarks/data/mnist1d-mlp-4x32.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.expected import gains_of
from evaluators.statistics import ALPHA, holm, share_interval, t_test
from evaluators.training.member import Array
from primitives import parse
from primitives.expression.expression import Expression
from search.confirmation.carried import BEST, RACED, SEEDS, ranked_best

FINALISTS, FRESH, SEARCHED, REPEATS = 5, 32, 2, 400


def wrong(expressions: list[Expression], truth: Array, noise: float, carry: int, seed: int) -> bool:
    """True if a simulated job confirms something; ``carry`` 0 is the rule."""
    rng = np.random.default_rng(seed)

    def seen(gains: Array, seeds: int) -> Array:
        return gains[:, None] + noise * rng.normal(size=(len(gains), seeds))

    by_search = np.argsort(-seen(truth, SEARCHED).mean(axis=1), kind="stable")
    raced = by_search[: max(BEST, int(np.ceil(RACED * len(truth))))]
    table = seen(truth[raced], SEEDS)
    ranked = ranked_best([(expressions[row], gains) for row, gains in zip(raced, table, strict=True)], exact=False)
    rows = [expressions.index(each) for each in (ranked[:carry] if carry else ranked)]
    controls = seen(truth[rows], FRESH)
    finalists = seen(np.full(FINALISTS, truth.max()), FRESH)
    compared = [[(finalist - control).tolist() for control in controls] for finalist in finalists]
    p = holm([max(map(t_test, each)) for each in compared])
    least = [min(float(np.mean(gains)) for gains in each) for each in compared]
    return any(value < ALPHA and gain > 0 for value, gain in zip(p, least, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="+")
    for path in parser.parse_args().tables:
        with np.load(path) as stored:
            texts, losses, relu = stored["expressions"].tolist()[:273], stored["losses"][:273, -1], stored["relu"][-1]
        gains = gains_of(losses, relu, range(losses.shape[1]))
        finite = np.flatnonzero(np.isfinite(gains).all(axis=1))
        truth, expressions = gains[finite].mean(axis=1), [parse(texts[row]) for row in finite]
        good = np.argsort(-truth)[: len(truth) // 2]
        residuals = gains[finite][good] - truth[good, None] - gains[finite][good].mean(axis=0) + truth[good].mean()
        noise = float(residuals.std() * np.sqrt(losses.shape[1] / (losses.shape[1] - 1)))
        cells = []
        for carry in (1, 2, 0):
            hits = sum(wrong(expressions, truth, noise, carry, seed) for seed in range(REPEATS))
            low, high = share_interval(hits, REPEATS)
            cells.append(f"{carry or 'the rule'}: {hits / REPEATS:.3f} ({low:.3f} {high:.3f})")
        print(f"{path.stem:<20} noise {noise:.3f}; confirmed, carrying {'; '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
