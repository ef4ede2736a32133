"""What ``actsearch fewbit`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from primitives.fewbit.fit import FewBit

ONCE = "The module can be differentiated once: level numbers tell nothing of a second derivative."


def few_bit_lines(found: FewBit) -> Iterator[str]:
    """Lines of text."""
    steps = found.steps
    bits = "1 bit" if steps.bits == 1 else f"{steps.bits} bits"
    kept = f"{len(steps.distinct)} levels, {bits} an element" if steps.bits else "one level, nothing is kept"
    yield f"{'fit':<10} {found.fit}"
    yield f"{'levels':<10} {_row(steps.levels)}"
    yield f"{'borders':<10} {_row(steps.borders) or 'none'}"
    yield f"{'kept':<10} {kept}"
    yield f"{'error':<10} {found.slope_error:.3g}, E (f' - q)^2 for normal inputs"
    if found.value_error is not None:
        yield f"{'':<10} {found.value_error:.3g}, the integral of (f - g)^2 over the line"
    yield f"{'pair':<10} {found.pair.text}"
    yield ONCE


def few_bit_to_json(found: FewBit) -> dict[str, object]:
    """The same as JSON has it; ``levels`` are those of the pieces between the borders, from left to right."""
    steps = found.steps
    return {
        "fit": found.fit,
        "levels": list(steps.levels),
        "borders": list(steps.borders),
        "bits": steps.bits,
        "saved_bytes": steps.bits / 8,
        "slope_error": found.slope_error,
        "value_error": found.value_error,
        "pair": found.pair.text,
    }


def _row(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:.6g}" for number in numbers)
