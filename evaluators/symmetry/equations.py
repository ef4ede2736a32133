"""Linear equations over the two signs: a sum of unknown signs and a known one is to be +."""

from __future__ import annotations


class Equations:
    """Equations over GF(2), solved as they come in.

    A form is a sum of unknowns as bits of an integer: bit 0 is the known sign -, bit n the unknown n. 0 is the sign +.
    """

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}  # by their highest bit, which no other row has for its highest
        self._unknowns = 0

    def unknown(self) -> int:
        """The form of a new unknown."""
        self._unknowns += 1
        return 1 << self._unknowns

    def require(self, form: int) -> bool:
        """Add the equation that a form is +; false if that contradicts the others, and then it is not added."""
        form = self._reduced(form)
        if form > 1:
            self._rows[form.bit_length() - 1] = form
        return form != 1

    def _reduced(self, form: int) -> int:
        """The form less the rows whose highest bit it has."""
        left, reduced = form, 0
        while left:
            highest = left.bit_length() - 1
            if (row := self._rows.get(highest)) is None:
                reduced |= 1 << highest
                left ^= 1 << highest
            else:
                left ^= row
        return reduced

    def negative(self) -> int:
        """A solution: the bits of the unknowns that are -. Those that the equations leave open are +."""
        values = 1
        for highest in sorted(self._rows):
            below = self._rows[highest] & values  # the row's own highest bit is not in values yet
            if below.bit_count() % 2:
                values |= 1 << highest
        return values & ~1
