"""Connecting this process with Ray: with that of this machine, or with a cluster."""

from __future__ import annotations

import faulthandler
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from evaluators.native.library import VARIABLE
from search.errors import WorkerError
from search.workers.actor import PACKAGES
from search.workers.environment import ENVIRONMENT
from search.workers.head import Head
from search.workers.signals import signals_kept


def attach(ray: Any, head: Head) -> None:
    """Connect with Ray here, which is waited for. Its workers inherit code and environment from its process.

    Args:
        ray: the module.
        head: of this machine; started again where that may help.

    Raises:
        WorkerError: it cannot be started or reached.
    """
    while True:
        address = head.wait()
        try:
            with signals_kept(), _alone(ray):
                logging.getLogger("ray").setLevel(logging.ERROR)
                _with_token()
                ray.init(address, _temp_dir=head.folder, **_settings(ray))
        except Exception as error:
            leave(ray)
            head.again(error)
        else:
            break
    if faulthandler.is_enabled():  # Ray has taken its signals
        faulthandler.disable()
        faulthandler.enable(2, all_threads=False)


def join(ray: Any, address: str) -> None:
    """Connect with a cluster. Its workers get this process's code and their environment by ``runtime_env``.

    Here that would cost 5 s, and an agent.

    Raises:
        WorkerError: it cannot be reached.
    """
    try:
        with signals_kept():
            _join(ray, address)
    except Exception as error:  # of what fails Ray raises no class of its own
        leave(ray)
        raise WorkerError(f"cannot start Ray at {address}: {' '.join(str(error).split())}") from None


def leave(ray: Any) -> None:
    """Disconnect."""
    with signals_kept():
        ray.shutdown()


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


def _with_token() -> None:
    """Show the token that Ray has asked of all since it was started here, unless RAY_AUTH_MODE says otherwise."""
    from ray._private.authentication import authentication_token_setup

    authentication_token_setup.enable_token_auth_by_default()


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


class _NoFolders(list[str]):
    """Stays empty."""

    def extend(self, _: object) -> None:
        """Ray adds the working folder: in front of Python's own modules and ours, which files there would hide."""


def _settings(ray: Any) -> dict[str, object]:
    job = ray.job_config.JobConfig()
    job._py_driver_sys_path = _NoFolders()
    return {"job_config": job, "log_to_driver": False, "logging_level": logging.ERROR}
