"""optuna-dashboard opens a run's journal and shows its trials and the front."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from search import Job


def fetched(url: str, seconds: float = 60.0) -> Any:
    """JSON of a server that is starting."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urlopen(url, timeout=10) as answer:
                return json.load(answer)
        except URLError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


@pytest.mark.slow
def test_the_dashboard_shows_trials_and_front(small: Path) -> None:
    pytest.importorskip("optuna_dashboard")
    run = Job.load(small, ["confirmation.finalists=0"]).launch("one")
    before = run.folder.journal.read_bytes()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "from optuna_dashboard._cli import main; main()"
    server = subprocess.Popen([sys.executable, "-c", code, str(run.folder.journal), "--port", str(port)])
    try:
        (study,) = fetched(f"http://127.0.0.1:{port}/api/studies")["study_summaries"]
        shown = fetched(f"http://127.0.0.1:{port}/api/studies/{study['study_id']}?after=0")
    finally:
        server.terminate()
        server.wait()
    assert study["study_name"] == "actsearch"
    assert shown["directions"] == ["maximize", "minimize"]
    assert len(shown["trials"]) == 24
    shown_ids = {a["value"] for trial in shown["best_trials"] for a in trial["user_attrs"] if a["key"] == "id"}
    assert shown_ids == {row["id"] for row in run.front()}
    assert run.folder.journal.read_bytes() == before
