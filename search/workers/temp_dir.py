"""The folder of a Ray of this job alone: a short path, as the system allows few bytes in the path of a socket."""

from __future__ import annotations

import logging
import os
import tempfile

from primitives.quoting import quoted
from search.errors import ConfigError, WorkerError

_PREFIX = "actsearch-"
#: Bytes of the folder's parent: of the 107 that a socket's path may have Ray takes 64 below the folder, its name 19.
LONGEST = 107 - len("/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store") - len(f"/{_PREFIX}12345678")
#: Instead of a TMPDIR that is too long.
SHORT = ("/tmp", "/var/tmp", "/dev/shm")
_LOGGER = logging.getLogger("actsearch")


def session_folder(asked: str | None) -> str:
    """Make a folder for one start of Ray.

    Args:
        asked: its parent, by the user; None takes TMPDIR, or the first of :data:`SHORT` where that cannot be used.

    Raises:
        ConfigError: nothing can be made in the folder that was asked for, or its path is too long.
        WorkerError: there is no folder for it.
    """
    if asked is not None:
        try:
            return _made(asked)
        except (OSError, ValueError) as error:
            raise ConfigError(f"workers.temp_dir: {_why(asked, error)}; expected a folder as short as /tmp") from None
    usual, wrong = tempfile.gettempdir(), []
    for parent in (usual, *SHORT):
        try:
            folder = _made(parent)
        except (OSError, ValueError) as error:
            wrong.append(_why(parent, error))
        else:
            if wrong:
                _LOGGER.warning("%s; Ray's files are in %s", wrong[0], folder)
            return folder
    raise WorkerError(f"no folder for Ray's files: {'; '.join(wrong)}; --workers 0 needs none")


def _made(parent: str) -> str:
    path = os.path.realpath(parent)  # the processes' own files are found by it
    if (size := len(os.fsencode(path))) > LONGEST:
        raise ValueError(f"{size} bytes are too long for Ray, which takes {LONGEST}")
    return tempfile.mkdtemp(prefix=_PREFIX, dir=path)


def _why(parent: str, error: OSError | ValueError) -> str:
    return f"{quoted(parent)}: {error.strerror if isinstance(error, OSError) else error}"
