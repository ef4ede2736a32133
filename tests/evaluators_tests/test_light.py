"""What is spared before the first training: scikit-learn for the digits, ``torch.optim`` for a short look."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from evaluators.machine.backend import Backend
from evaluators.tasks.optimisers import SGD, Adam, AdamW, Optimiser
from evaluators.tasks.shipped import digits
from evaluators.tasks.shipped.digits import Digits
from evaluators.training.light import LightModel
from evaluators.training.plain import PlainModel
from primitives.expression.parsing import parse

DOUBLE = Backend(dtype=torch.float64)


class Chosen(Digits):
    """The task with another optimiser, a clip that bites and batches that add up."""

    clip, accumulate, schedule = 0.5, 2, "cosine"

    def __init__(self, optimiser: Optimiser) -> None:
        super().__init__(2, 8)
        self.optimiser = optimiser


@pytest.mark.parametrize(
    "optimiser", [Adam(weight_decay=0.1), AdamW(weight_decay=0.1), SGD(weight_decay=0.1, nesterov=True)], ids=repr
)
def test_a_light_model_trains_like_a_plain_one(optimiser: Optimiser) -> None:
    made = [
        kind(Chosen(optimiser), "search", parse("a*tanh(x); a=1"), seed=1, rate=0.01, steps=6, backend=DOUBLE)
        for kind in (PlainModel, LightModel)
    ]
    for model in made:  # one without a gradient stays, decay or not
        model.network.register_parameter("unused", torch.nn.Parameter(torch.ones(1, dtype=torch.float64)))
    losses = [torch.tensor(model.advance(6)) for model in made]
    torch.testing.assert_close(*losses, rtol=1e-12, atol=0)
    torch.testing.assert_close(made[0].tensors(), made[1].tensors(), rtol=1e-10, atol=1e-13)
    assert made[1].tensors()["unused"] == 1


def test_the_digits_are_those_of_scikit_learn_in_the_order_of_its_split() -> None:
    pixels, labels = load_digits(return_X_y=True)
    halves = train_test_split(pixels, labels, test_size=0.5, stratify=labels, random_state=0)
    search, confirmation = (torch.from_numpy(half).float() for half in halves[:2])
    mean, spread = search.mean(), search.std()
    for number, (part, images) in enumerate({"search": search, "confirmation": confirmation}.items()):
        x, y = digits._digits()[part]
        assert torch.equal(x, (images - mean) / spread) and x.is_contiguous()
        assert torch.equal(y, torch.from_numpy(halves[2 + number]))


def test_the_digits_are_found_where_scikit_learn_keeps_its_files_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    table = digits._table()
    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    assert (digits._table() == table).all()


def test_a_look_at_the_signs_and_a_cohort_load_neither_scikit_learn_nor_dynamo() -> None:
    """To import them takes 1.4 and 1.7 s CPU: as long as the training of a small cohort."""
    program = (
        "import sys\n"
        "from evaluators.cohort import CohortRequest, run_cohort\n"
        "from evaluators.symmetry.signs import signs_of\n"
        "from evaluators.tasks import task\n"
        "assert len(signs_of(task('digits-10x32')).held) == 3\n"
        "run_cohort(CohortRequest(('tanh(x)',), ('digits', 'digits-cnn'), 0, 2, 2, rates=(0.01,)))\n"
        "print(*sorted({'torch._dynamo', 'sklearn', 'scipy.stats', 'sympy', 'matplotlib', 'ray'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
