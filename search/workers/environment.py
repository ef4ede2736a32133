"""Variables of the environment that Ray and its workers run in."""

from __future__ import annotations

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
#: own start, and no cluster, see :func:`search.workers.cluster._alone`.
RAY = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
