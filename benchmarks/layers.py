"""What layers with statistics cost: a step of a stack, a stack over plain models, calibration, classes.

The task is ``digits-cnn``. Every line is a ratio to the first one in the same round; rounds are interleaved, in one
thread, models are built outside the clock.

* step: of a stack of 36 slices, 3 candidates of one kind x 4 seeds x 3 rates, to one of ReLU;
* models: a second in that stack, to models a second one at a time;
* calibration: the statistics for evaluation, from eight training batches, in training steps;
* class: microseconds to find a candidate's class, 200 of a kind that differ in a number.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from evaluators.tasks import task
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stack import Stack
from primitives.equivalence.classes import fingerprint
from primitives.expression.parsing import parse

#: A number stands in each, so that a kind has many classes.
KINDS = {
    "relu": "{}*relu(x)",
    "swish": "{}*x*sigmoid(x)",
    "GroupNorm + SiLU": "silu({}*(x-mean_gp(x))/std_gp(x)*w+b); w=1:channel, b=0:channel",
    "BatchNorm + ReLU": "relu({}*(x-mean_np(x))/std_np(x)*w+b); w=1:channel, b=0:channel",
    "EvoNorm-S1": "{}*silu(x)/std_gp(x)*w+b; w=1:channel, b=0:channel",
    "EvoNorm-S0": "{}*x*sigmoid(v*x)/std_gp(x)*w+b; v=1:channel, w=1:channel, b=0:channel",
    "EvoNorm-B0": "{}*x/max(std_np(x),v*x+std_p(x))*w+b; v=1:channel, w=1:channel, b=0:channel",
    "layers(relu, swish)": "layers({}*relu(x),silu(x))",
}
SEEDS, RATES, WARM_UP = (1, 2, 3, 4), (1e-3, 3e-3, 1e-2), 3


def seconds(action: Callable[[], object]) -> float:
    """Time of one call."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def measured(text: str, steps: int) -> dict[str, float]:
    """Seconds of a step, of a model's step in the stack and by itself, of a calibration, and of a class."""
    chosen, schedule = task("digits-cnn"), Schedule(WARM_UP + 2 * steps, (), RATES)
    members = [CohortMember(parse(text.format(number)), SEEDS) for number in (1.0, 1.1, 0.9)]
    stack = Stack(chosen, "search", members, schedule)
    plain = PlainModel(chosen, "search", members[0].expression, seed=1, rate=RATES[0], steps=schedule.steps)
    stack.advance(WARM_UP)
    plain.advance(WARM_UP)
    step = seconds(lambda: stack.advance(WARM_UP + steps)) / steps
    alone = seconds(lambda: plain.advance(WARM_UP + steps)) / steps
    stack.loss("validation")
    evaluated = seconds(lambda: stack.loss("validation"))
    stack._forget()
    calibrated = seconds(lambda: stack.loss("validation")) - evaluated
    many = [parse(text.format(f"{1.0 + number / 997:.4f}")) for number in range(200)]
    each = seconds(lambda: [fingerprint(expression) for expression in many]) / len(many)
    fingerprint.cache_clear()
    return {"step": step, "stacked": step / stack.width, "alone": alone, "calibration": calibrated, "class": each}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for _ in range(arguments.rounds):
        for kind, text in KINDS.items():
            rows[kind].append(measured(text, arguments.steps))
    print(f"{'':<22}{'step/ReLU':>20}{'stack/plain models':>20}{'calibration/step':>18}{'class us':>10}{'/ReLU':>7}")
    for kind, of_kind in rows.items():
        steps = [own["step"] / first["step"] for own, first in zip(of_kind, rows["relu"], strict=True)]
        models = [own["alone"] / own["stacked"] for own in of_kind]
        calibration = median(own["calibration"] / own["step"] for own in of_kind)
        each = median(own["class"] for own in of_kind)
        ratio = median(own["class"] / first["class"] for own, first in zip(of_kind, rows["relu"], strict=True))
        print(
            f"{kind:<22}{median(steps):>6.2f} ({min(steps):.2f} to {max(steps):.2f})"
            f"{median(models):>6.2f} ({min(models):.2f} to {max(models):.2f}){calibration:>16.1f}"
            f"{1e6 * each:>11.0f}{ratio:>7.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
