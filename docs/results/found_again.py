"""The eight functions of the Swish paper in a run: whether the search trained them, and where they rank.

    python docs/results/found_again.py RUN

Each is looked up by its class, whatever formula the search found it by; the rank is by gain. A class that was rejected
has no gain and no rank: its reason is printed.
"""

from __future__ import annotations

import argparse

from evaluators.results.reasons import code_of
from primitives import parse
from primitives.equivalence.classes import fingerprint, same_function
from search import Run

#: The best novel functions of Ramachandran, Zoph and Le 2017 (arXiv 1710.05941), tables 1 and 2.
PAPER = (
    "x*sigmoid(beta*x); beta=1:channel",
    "max(x,sigmoid(x))",
    "cos(x)-x",
    "min(x,sin(x))",
    "atan(x)**2-x",
    "max(x,tanh(x))",
    "sinc(x)+x",
    "x*asinh(x)**2",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    rows = Run.open(parser.parse_args().run).class_rows()
    finished = sorted((row for row in rows if row.gain is not None), key=lambda row: -(row.gain or 0.0))
    ranks = {row.id: rank for rank, row in enumerate(finished, 1)}
    print(f"{len(rows)} classes trained, {len(finished)} to the end")
    for text in PAPER:
        function = parse(text)
        key = fingerprint(function).scale
        found = [row for row in rows if row.key.rstrip("~") == key]
        match = next((row for row in found if same_function(parse(row.expression), function, scale=True)), None)
        if match is None:
            print(f"{text:40} not proposed")
        elif match.id in ranks:
            place = f"rank {ranks[match.id]} of {len(rows)}"
            print(f"{text:40} {place:20} gain {match.gain:+.3f}  {match.id} {match.expression}")
        else:
            print(f"{text:40} {code_of(match.reason):20} {'':11}  {match.id} {match.expression}")


if __name__ == "__main__":
    main()
