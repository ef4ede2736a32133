"""The command about this machine: doctor."""

from __future__ import annotations

from search.commands.options import Json


def doctor(as_json: Json = False) -> None:
    """Show what training runs on here: engine, processor, threads, matrix library, Ray, GPU, optional packages."""
    from search.commands.shell import print_json
    from search.terminal.doctor import examined, lines

    found = examined()
    if as_json:
        print_json(found)
        return
    for line in lines(found):
        print(line)
