"""Files of a user's whose code ends the process: named by tests as a user names a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from torch import Tensor, nn

from tests.search_tests.faulty_tasks import Quiet

WAYS: dict[str, Callable[[], object]] = {"exit": lambda: sys.exit(3), "abort": os.abort}


def end() -> None:
    if os.environ["ACTSEARCH_TEST_WAY"] == "interrupt":
        raise KeyboardInterrupt
    WAYS[os.environ["ACTSEARCH_TEST_WAY"]]()


class InNetwork(Quiet):
    """Ends when its network is made."""

    def network(self) -> nn.Module:
        end()
        return super().network()


class InData(Quiet):
    """Ends when its data are made."""

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        end()
        return super().data(part)


class InLoop(Quiet):
    """Ends in the training of the offender."""

    def harm(self) -> None:
        end()


def strategy(**_: object) -> None:
    """Ends when it is made."""
    end()
