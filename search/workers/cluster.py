"""Starting Ray on this machine, or joining a cluster."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from search.errors import WorkerError
from search.workers.actor import PACKAGES

#: Thread counts and malloc thresholds of a worker. Large blocks that stay in the process instead of going back to
#: the system after each step give 15 to 20 % on small networks.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 31),
    "MALLOC_TOP_PAD_": str(1 << 26),
}
#: For Ray itself: quiet, nothing reported home, and no idle workers started ahead, which would compete with the
#: actors' own start.
_RAY = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def start_ray(ray: Any, count: int, address: str | None) -> None:
    """Join a cluster, or start Ray here for ``count`` workers.

    A cluster's workers get the driver's code and their environment by ``runtime_env``. Here they inherit both from
    this process, which spares the runtime environment's agent and 5 s.

    Raises:
        WorkerError: Ray cannot be started or reached.
    """
    try:
        if address:
            _join(ray, address)
        else:
            _start(ray, count)
    except Exception as error:  # of a node that does not start in time Ray raises no class of its own
        raise WorkerError(f"cannot start Ray{f' at {address}' if address else ''}: {error}") from None


def _join(ray: Any, address: str) -> None:
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "/" not in host:  # Ray itself would try for minutes; "auto" has no port
        with socket.create_connection((host, int(port)), timeout=10):
            pass
    modules = [str(path) for path in PACKAGES]
    ray.init(address=address, runtime_env={"py_modules": modules, "env_vars": ENVIRONMENT}, **_QUIET)


def _start(ray: Any, count: int) -> None:
    paths = os.pathsep.join(filter(None, [str(PACKAGES[0].parent), os.environ.get("PYTHONPATH", "")]))
    with _variables(ENVIRONMENT | _RAY | {"PYTHONPATH": paths}):
        ray.init("local", num_cpus=count, include_dashboard=False, object_store_memory=100 << 20, **_QUIET)


@contextmanager
def _variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for a while. Those that Ray sets stay: it keeps RAY_AUTH_MODE in this process, too."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_QUIET: dict[str, object] = {"log_to_driver": False, "logging_level": logging.ERROR}
