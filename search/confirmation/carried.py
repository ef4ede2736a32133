"""The known functions that a find has to beat: raced on fresh seeds of the search, the best carried to confirmation.

One known function picked by few seeds is often not the best. In simulated jobs a rule that carries one confirms what is
no better in 9 to 43 % of the cases, this one in .5 to 3.5 %: see ``benchmarks/carried.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from evaluators.statistics import in_errors
from evaluators.training.member import Array
from primitives.equivalence.signs import sign_class
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from search.baseline.functions import catalogue_classes, catalogue_name
from search.baseline.known import Known
from search.config import Config
from search.confirmation.gains_in_search import gains_in_search
from search.engine.study import Study
from search.workers import Workers

SEEDS = 4
FIRST_SEED = 2_000_000  # the search counts its seeds from 0, the short forms theirs from a million
RACED = 0.25  # of the known functions, the best in the search
BEST, MOST = 5, 8
WITHIN = 2.0  # standard errors of the paired difference to the best


def carried(study: Study, config: Config, workers: Workers) -> list[Known]:
    """The known functions that finalists are compared with, best first, one a sign orbit; none without a baseline.

    The best quarter of all known functions by the search's mean gain is trained on four fresh seeds. Of these the five
    with the highest mean gain are carried, and those within two standard errors of the best, paired by seed; at most
    eight.
    """
    raced = _best_in_search(study, config)
    if not raced:
        return []
    by_expression = {parse(known.trial.expression): known for known in raced}
    table = gains_in_search(list(by_expression), config, workers, first_seed=FIRST_SEED, seeds=SEEDS)
    ranked = ranked_best([(expression, table[expression]) for expression in by_expression], exact=config.exact)
    return [by_expression[expression] for expression in ranked]


def ranked_best(rows: Sequence[tuple[Expression, Array]], *, exact: bool) -> list[Expression]:
    """The rule on gains by seed: who is carried, best first.

    Args:
        rows: each function with its gains; those that are not finite are left out.
        exact: a factor makes another function.
    """
    finite = [(expression, gains) for expression, gains in rows if np.isfinite(gains).all()]
    ordered = sorted(finite, key=lambda row: -float(row[1].mean()))
    orbits: dict[str, tuple[Expression, Array]] = {}
    for row in ordered:
        orbits.setdefault(sign_class(row[0], exact=exact), row)
    kept = list(orbits.values())
    if not kept:
        return []
    best = kept[0][1]
    return [e for n, (e, gains) in enumerate(kept[:MOST]) if n < BEST or in_errors(best - gains) <= WITHIN]


def known_in(study: Study, config: Config) -> list[Known]:
    """All known functions that a job trained: its baseline, and those of the catalogue that the search came upon."""
    if not study.baseline:
        return []
    exact, signs = config.exact, config.scoring.signs
    classes = catalogue_classes(exact=exact, signs=signs)
    met = (trial for trial in study.store.trials if trial.key in classes)
    named = (Known(catalogue_name(parse(trial.expression), exact=exact, signs=signs), trial) for trial in met)
    return [*reversed(study.baseline), *named]


def _best_in_search(study: Study, config: Config) -> list[Known]:
    """The best quarter of the known functions by the mean gain: a rank says nothing outside of its cohort."""
    gained = [(known, gain) for known in known_in(study, config) if (gain := known.trial.gain) is not None]
    best = sorted(gained, key=lambda row: -row[1])
    return [known for known, _ in best[: max(BEST, math.ceil(RACED * len(gained)))]]
