"""Starting Ray on this machine, or joining a cluster."""

from __future__ import annotations

import faulthandler
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from evaluators.native.library import VARIABLE
from primitives.errors import ActsearchError
from search.errors import WorkerError
from search.workers import session
from search.workers.actor import HELD, PACKAGES
from search.workers.session import end_processes
from search.workers.temp_dir import session_folder

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
#: For Ray itself: quiet, nothing reported home, no idle workers started ahead, which would compete with the actors'
#: own start, and no cluster, see :func:`_alone`.
_RAY = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}


STARTS = 2  # of Ray here, as one on a busy machine may come too late


class RayHere:
    """Ray, started on this machine for this job, or joined on a cluster.

    A cluster's workers get the driver's code and their environment by ``runtime_env``. Here they inherit both from
    this process, which spares the runtime environment's agent and 5 s.

    Args:
        ray: the module.
        count: number of workers.
        address: of a running cluster; None starts Ray here.
        temp_dir: where its folder is made, see :func:`session_folder`.

    Attributes:
        folder: of a Ray here; None on a cluster.

    Raises:
        WorkerError: Ray cannot be started or reached.
        ConfigError: the temporary folder cannot be used.
    """

    def __init__(self, ray: Any, count: int, address: str | None, temp_dir: str | None = None) -> None:
        self._ray = ray
        self.folder: str | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        try:
            if address:
                with _signals_kept():
                    _join(ray, address)
            else:
                self._start(count, temp_dir)
        except BaseException as error:
            self.close()
            if isinstance(error, ActsearchError) or not isinstance(error, Exception):
                raise
            # of a node that does not start in time Ray raises no class of its own
            what, text = f" at {address}" if address else "", " ".join(str(error).split())
            out = "" if address else "; --workers 0 works without it, --temp-dir DIR gives its files another folder"
            raise WorkerError(f"cannot start Ray{what}: {text}{out}") from None

    def _start(self, count: int, temp_dir: str | None) -> None:
        for left in reversed(range(STARTS)):
            self.folder = session_folder(temp_dir)
            try:
                with _signals_kept():
                    self._watcher = _watched(self.folder)
                    _start(self._ray, count, self.folder)
                return
            except Exception as error:
                if not left or not _may_pass(error):
                    raise
                self.close()

    def close(self) -> None:
        """Leave the cluster, or end all processes of Ray here and remove their folder."""
        with _signals_kept():
            node = self._ray._private.worker._global_node
            if node is not None:  # its processes hear no SIGTERM, and Ray would wait a second for each
                node.kill_all_processes = lambda **_: type(node).kill_all_processes(node, check_alive=False)
            self._ray.shutdown()
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.wait()
            self._watcher = None
        if self.folder is not None:
            end_processes(self.folder)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None


def _may_pass(error: Exception) -> bool:
    """False for a wrong path, a full disk and the like."""
    return isinstance(error, TimeoutError | ConnectionError) or not isinstance(error, OSError | ValueError)


def _join(ray: Any, address: str) -> None:
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "/" not in host:  # Ray itself would try for minutes; "auto" has no port
        with socket.create_connection((host, int(port)), timeout=10):
            pass
    modules = [str(path) for path in PACKAGES]
    ray.init(
        address=address, runtime_env={"py_modules": modules, "env_vars": ENVIRONMENT | _engine()}, **_settings(ray)
    )


def _engine() -> dict[str, str]:
    """Where this process has the engine turned off, its workers have, too."""
    return {VARIABLE: os.environ[VARIABLE]} if VARIABLE in os.environ else {}


def _start(ray: Any, count: int, folder: str) -> None:
    paths = os.pathsep.join(filter(None, [str(PACKAGES[0].parent), os.environ.get("PYTHONPATH", "")]))
    with _variables(ENVIRONMENT | _RAY | {"PYTHONPATH": paths}), _alone(ray):
        ray.init(
            "local", num_cpus=count, include_dashboard=False, object_store_memory=100 << 20, _temp_dir=folder,
            **_settings(ray),
        )  # fmt: skip
    if faulthandler.is_enabled():  # Ray has taken its signals
        faulthandler.disable()
        faulthandler.enable(2, all_threads=False)


@contextmanager
def _alone(ray: Any) -> Iterator[None]:
    """Keep Ray from making a cluster of this machine: all of its processes then listen on 127.0.0.1 alone.

    Ray does so on systems for which it has no clusters. Its own processes are told by the environment.
    """
    constants = ray._private.ray_constants
    before, constants.ENABLE_RAY_CLUSTER = constants.ENABLE_RAY_CLUSTER, False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


def _watched(folder: str) -> subprocess.Popen[bytes]:
    """Start the watcher, in a session of its own: what ends this process's group does not end it."""
    return subprocess.Popen(
        [sys.executable, "-I", session.__file__, str(os.getpid()), folder],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep signals that stop a job from Ray: they are heard afterwards, by who heard them before.

    Ray takes SIGTERM over, prints a dump of C++ frames and aborts. And its processes are in the driver's group: what is
    sent to that, by a closed ssh or ``kill``, would end them while the driver waits for what is in flight. They inherit
    that the signals are blocked.
    """
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    ended = False
    try:
        yield
    except SystemExit as end:  # of Ray's handler, where another thread has taken the signal
        ended = end.code == signal.SIGTERM
        if not ended:
            raise
    finally:
        if main and handler is not None:
            signal.signal(signal.SIGTERM, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if ended:
        signal.raise_signal(signal.SIGTERM)


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


class _NoFolders(list[str]):
    """Stays empty."""

    def extend(self, _: object) -> None:
        """Ray adds the working folder: in front of Python's own modules and ours, which files there would hide."""


def _settings(ray: Any) -> dict[str, object]:
    job = ray.job_config.JobConfig()
    job._py_driver_sys_path = _NoFolders()
    return {"job_config": job, "log_to_driver": False, "logging_level": logging.ERROR}
