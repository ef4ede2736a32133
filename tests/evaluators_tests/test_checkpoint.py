"""A training that goes on from a checkpoint has the bits of one left alone; a damaged file is no checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluators.cohort import CohortRequest
from evaluators.tasks.optimisers import SGD, AdamW
from evaluators.training.chains.native_stack import NativeStack
from evaluators.training.checkpoints.checkpoint import Checkpoint
from evaluators.training.models import Models
from evaluators.training.schedules import Cosine, OneCycle
from evaluators.training.stacking.stack import Stack
from tests.evaluators_tests.families import Family
from tests.evaluators_tests.test_loops import Looped
from tests.plain import ran

TEXTS = ("x*sigmoid(beta*x); beta=1.0:channel", "exp(exp(x))", "sin(3*x)", "c*elu(x); c=0.5")
PLAIN = CohortRequest(
    TEXTS, ("digits", "digits-3x16"), 1, 2, 16, (4, 8), (1e-4, 1e-3, 1e-2), width=20, drop_worst_rate=True
)


class Killed(BaseException):
    """Stands for a process that ends at once."""


def asked(folder: Path, request: CohortRequest = PLAIN) -> CohortRequest:
    return replace(request, checkpoint=str(folder / "000003"), checkpoint_seconds=0.0)


def killed_after(monkeypatch: pytest.MonkeyPatch, count: int, request: CohortRequest, **options: Any) -> None:
    """Run a cohort until it has offered its state so many times."""
    offer, offers = Checkpoint.offer, 0

    def counting(self: Checkpoint, state: Any) -> None:
        nonlocal offers
        offer(self, state)
        offers += 1
        if offers == count:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Checkpoint, "offer", counting)
        ran(request, **options)


def results(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key != "seconds"}


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_it_goes_on_with_the_same_bits(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_after(monkeypatch, count, asked(tmp_path))
    taken: list[int] = []

    def watched(kind: type[Models]) -> None:
        advance = kind.advance

        def seen(models: Models, to: int) -> None:
            taken.append(models.step)
            advance(models, to)

        monkeypatch.setattr(kind, "advance", seen)

    watched(Stack)
    watched(NativeStack)
    resumed = ran(asked(tmp_path))
    assert taken[0] == (4, 8, 4, 8)[count - 1]
    monkeypatch.undo()
    assert results(resumed) == results(ran(PLAIN))


@pytest.mark.parametrize("family", ["cnn", "transformer", "mlp-norm"])
def test_every_family(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"find": lambda _: Family(family)}
    request = replace(PLAIN, tasks=(family,))
    killed_after(monkeypatch, 2, asked(tmp_path, request), **options)
    assert results(ran(asked(tmp_path, request), **options)) == results(ran(request, **options))


@pytest.mark.parametrize(
    "settings",
    [
        {"optimiser": AdamW(weight_decay=0.1), "schedule": Cosine(warmup=3), "accumulate": 2},
        {"optimiser": SGD(nesterov=True, weight_decay=0.1), "schedule": OneCycle()},
    ],
    ids=["adamw", "nesterov"],
)
def test_options(settings: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"find": lambda _: Family("mlp-norm", **settings)}
    request = replace(PLAIN, tasks=("mlp-norm",))
    killed_after(monkeypatch, 2, asked(tmp_path, request), **options)
    assert results(ran(asked(tmp_path, request), **options)) == results(ran(request, **options))


def test_measured_objectives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = replace(PLAIN, measured=("sparsity", "reproducibility"))
    killed_after(monkeypatch, 3, asked(tmp_path, request))
    assert results(ran(asked(tmp_path, request))) == results(ran(request))


def test_a_loop_of_ones_own_keeps_the_members_that_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = replace(PLAIN, tasks=("looped",))
    killed_after(monkeypatch, 5, asked(tmp_path, request), find=lambda _: Looped())
    looped = Looped()
    resumed = ran(asked(tmp_path, request), find=lambda _: looped)
    assert results(resumed) == results(ran(request, find=lambda _: Looped()))
    whole = Looped()
    ran(request, find=lambda _: whole)
    assert 0 < looped.steps_taken < whole.steps_taken


@pytest.mark.parametrize("place", [0, 70, -1])
def test_a_damaged_file_is_as_none(place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_after(monkeypatch, 2, asked(tmp_path))
    (file,) = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)
    assert asked(tmp_path).state.saved is None
    assert results(ran(asked(tmp_path))) == results(ran(PLAIN))


def test_another_request_has_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_after(monkeypatch, 1, asked(tmp_path))
    assert asked(tmp_path).state.saved is not None
    assert asked(tmp_path, replace(PLAIN, expressions=TEXTS[:2])).state.saved is None
    assert asked(tmp_path, replace(PLAIN, seed=2)).state.saved is None
    with monkeypatch.context() as patch:
        patch.setattr("evaluators.cohort.engine_digest", lambda: "of another engine")
        assert asked(tmp_path).state.saved is None


def test_it_writes_as_often_as_it_is_asked_and_never_without_a_folder(tmp_path: Path) -> None:
    ran(replace(asked(tmp_path), checkpoint_seconds=1000.0))
    assert list(tmp_path.iterdir()) == []
    ran(asked(tmp_path / "missing"))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_costs_the_checkpoint_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("evaluators.training.checkpoints.checkpoint.os.fsync", full)
    assert results(ran(asked(tmp_path))) == results(ran(PLAIN))
    assert list(tmp_path.iterdir()) == []
