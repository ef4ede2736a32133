"""The process that starts Ray on this machine, and holds it until the driver ends it or is gone.

Its standard input is a pipe of the driver's. What came of the start is a file in Ray's folder.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

ADDRESS, REFUSED = "address", "refused"  #: names of the files
STORE = 100 << 20  # bytes of the object store


def main(folder: Path, count: int) -> None:
    """Start Ray with ``count`` processors, and wait."""
    try:
        address = _start(folder, count)
    except Exception as error:  # of a node that does not start in time Ray raises no class of its own
        _write(folder / REFUSED, json.dumps({"error": " ".join(str(error).split()), "may_pass": may_pass(error)}))
        os._exit(1)
    _write(folder / ADDRESS, address)
    sys.stdin.buffer.read()
    os._exit(0)  # at once: the kernel ends Ray's servers with this process, the watcher the rest


def may_pass(error: Exception) -> bool:
    """False for a wrong path, a full disk and the like."""
    return isinstance(error, TimeoutError | ConnectionError) or not isinstance(error, OSError | ValueError)


def _start(folder: Path, count: int) -> str:
    import ray

    ray._private.ray_constants.ENABLE_RAY_CLUSTER = False  # all of its processes listen on 127.0.0.1 alone
    ray.init(
        "local", num_cpus=count, include_dashboard=False, object_store_memory=STORE, _temp_dir=str(folder),
        log_to_driver=False, logging_level=logging.ERROR,
    )  # fmt: skip
    return str(ray.get_runtime_context().gcs_address)


def _write(path: Path, text: str) -> None:
    """A file that is there as a whole, or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
