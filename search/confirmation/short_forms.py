"""Short forms: a finalist's expression is shortened, and its constants refined, while its gain stays within noise.

All of it happens on the search's data and tasks, with seeds of its own: what comes out is one more finalist, and only
the confirmation says what it is worth.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from evaluators.places.fitting import Fitting
from evaluators.statistics import in_errors
from evaluators.training.member import Array
from primitives.equivalence.classes import class_of
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from search.config import Config
from search.confirmation.gains_in_search import gains_in_search
from search.confirmation.neighbours import length, moved, plain, shorter
from search.workers import Workers

SEEDS = 6
FIRST_SEED = 1_000_000  # the search counts its seeds from 0
BETTER = 2.0  # standard errors by which a moved constant must be better


def short_forms(expressions: Sequence[Expression], config: Config, workers: Workers) -> list[Expression]:
    """The form of each expression that the rounds end with; itself where nothing shorter is as good.

    In each round the neighbours of all forms are trained beside the forms. The shortest one whose mean gain is at most
    one standard error, paired by seed, below that of the expression itself is taken (the rule of one standard error,
    Breiman et al. 1984); where there is none, a moved constant that is better than the form by two.
    """
    exact, fitting = config.exact, config.fitting  # one for all rounds: it keeps what it sees of the networks
    controls = {class_of(parse(text), exact=exact) for _, text in config.all_controls}
    forms = [plain(expression, exact=exact) for expression in expressions]
    open_ = [form.size > 1 for form in forms]
    for number in range(config.confirmation.rounds):
        if not any(open_):
            break
        tried = [
            _neighbours(form, fitting, controls, exact=exact) if going else []
            for form, going in zip(forms, open_, strict=True)
        ]
        field = [*expressions, *forms, *(each for neighbours in tried for each in neighbours)]
        table = gains_in_search(field, config, workers, first_seed=FIRST_SEED + number * SEEDS, seeds=SEEDS)
        for n, expression in enumerate(expressions):
            chosen = _step(expression, forms[n], tried[n], table)
            open_[n] = chosen is not None
            forms[n] = plain(chosen, exact=exact) if chosen else forms[n]
    return forms


def _neighbours(form: Expression, fitting: Fitting, controls: Collection[str], *, exact: bool) -> list[Expression]:
    """The shorter and the moved ones that fit the places of the tasks, and are of no control's class."""
    near = [*shorter(form, exact=exact), *moved(form, exact=exact)]
    return [each for each in near if class_of(each, exact=exact) not in controls and not fitting.misfit(each)]


def _step(
    original: Expression, form: Expression, tried: Sequence[Expression], table: Mapping[Expression, Array]
) -> Expression | None:
    """The next form, or None."""
    if not np.isfinite(table[original]).all() or not np.isfinite(table[form]).all():
        return None
    trained = [each for each in tried if np.isfinite(table[each]).all()]
    short = [e for e in trained if length(e) < length(form) and in_errors(table[e] - table[original]) >= -1.0]
    if short:
        return min(short, key=lambda each: (length(each), -float(table[each].mean())))
    better = [e for e in trained if length(e) >= length(form) and in_errors(table[e] - table[form]) >= BETTER]
    return max(better, key=lambda each: float(table[each].mean()), default=None)
