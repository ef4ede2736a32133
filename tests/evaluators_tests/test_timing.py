"""Timing: one ratio for each expression; its size is no test's business."""

from __future__ import annotations

import torch

from evaluators.machine.timing import time_ratios
from primitives.expression.parsing import parse


def test_one_positive_ratio_each_and_threads_as_before() -> None:
    before = torch.get_num_threads()
    found = time_ratios([parse("relu(x)"), parse("x*sigmoid(beta*x); beta=1.0:channel")], repetitions=3)
    assert len(found) == 2
    assert all(ratio > 0 for ratio in found)
    assert torch.get_num_threads() == before
    assert time_ratios([]) == []


def test_every_kind_has_a_ratio() -> None:
    texts = ["silu(x)*z", "z", "x/rms_c(x)*w; w=1:channel", "relu(x-mean_np(x))", "layers(relu(x),tanh(x)*z)"]
    found = time_ratios([parse(text) for text in texts], repetitions=2)
    assert len(found) == len(texts)
    assert all(ratio > 0 for ratio in found)
