"""A cluster of two nodes on this machine: joined by address, and one of them lost in the middle of a job."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from search import Job, Run
from search.engine.loop import Progress
from search.workers.ray_workers import RayWorkers
from tests.search_tests.conftest import contents


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Its nodes know neither the place of the code nor the working directory: the code comes with the job.

    Before it Ray has run on this machine, in this process, as in a notebook.
    """
    from ray.cluster_utils import Cluster

    RayWorkers(1).close()

    monkeypatch.delenv("PYTHONPATH", raising=False)

    memory = 100 << 20
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": memory, "include_dashboard": False},
    )
    made.second = made.add_node(num_cpus=1, object_store_memory=memory)  # type: ignore[attr-defined]
    yield made
    made.shutdown()


class Saboteur:
    """Kills the second node once a cohort is recorded, when others are in flight."""

    def __init__(self, node: Any) -> None:
        self.node, self.killed = node, False

    def say(self, text: str) -> None:
        """Nothing."""

    def part(self, text: str) -> None: ...

    def step(self, progress: Progress) -> None:
        if not self.killed:
            for process in self.node.all_processes["raylet"]:
                os.kill(process.process.pid, signal.SIGKILL)
        self.killed = True


@pytest.mark.slow
def test_the_raylet_of_a_second_node_is_killed(small: Path, cluster: Any) -> None:
    changes = ["training.steps=150", "cohorts.lag=2"]
    whole = contents(Job.load(small, [*changes, "workers.count=0"]).launch("whole"))
    Job.load(small, changes).launch("part", max_minutes=0)
    saboteur = Saboteur(cluster.second)
    resumed = Run.open("part").resume(workers=2, address=cluster.address, reporter=saboteur)
    assert saboteur.killed
    assert contents(resumed) == whole
