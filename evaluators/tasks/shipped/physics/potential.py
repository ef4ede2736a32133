"""A particle in a box whose potential has a step: its ground state in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluators.tasks.shipped.physics.quadrature import Array, panels

_SCANNED = 400  # energies at which the matching condition is looked at for the first change of sign
_NODES = 64  # of each panel: the square of a state is integrated to rounding


@dataclass(frozen=True, slots=True)
class StepPotential:
    """V(x) = inner for \\|x\\| < step, outer for step < \\|x\\| < wall, and walls at +-wall that no state gets through.

    Energies E belong to -psi'' + V psi = E psi, psi(+-wall) = 0, in units of hbar^2 / (2 m) per unit of length squared.
    With inner = outer it is the infinite well, with inner below outer the finite well within a box, with inner above
    outer the barrier.

    Args:
        inner, outer: energies.
        step, wall: lengths, 0 < step < wall.
    """

    inner: float
    outer: float
    step: float
    wall: float

    def __call__(self, x: Array) -> Array:
        """V at points within the box."""
        return np.where(np.abs(x) < self.step, self.inner, self.outer)

    def energy(self) -> float:
        """The lowest one: the first root of the matching condition.

        An even state is cos(k x) within the step and sin(q (wall - x)) beyond, with k^2 = E - inner, q^2 = E - outer,
        either of which may be below 0; psi and psi' are continuous where k sin(k step) sin(q d) / q = cos(k step)
        cos(q d), d = wall - step.
        """
        from scipy.optimize import brentq  # imported where it is used: commands that need no task need no scipy

        low = min(self.inner, self.outer)
        high = max(self.inner, self.outer) + (np.pi / (2 * self.wall)) ** 2  # of the box alone, lifted
        scanned = np.linspace(low, high + 1e-6, _SCANNED)
        first = int(np.argmax([self._mismatch(each) >= 0 for each in scanned]))
        return float(brentq(self._mismatch, scanned[first - 1], scanned[first], xtol=1e-13, rtol=1e-14))

    def _mismatch(self, energy: float) -> float:
        """Below 0 under the lowest energy, 0 at it."""
        k, q = (np.sqrt(complex(energy - level)) for level in (self.inner, self.outer))
        beyond = self.wall - self.step
        sine_over_q = beyond * np.sinc(q * beyond / np.pi)  # numpy's sinc is sin(pi z) / (pi z)
        return float((k * np.sin(k * self.step) * sine_over_q - np.cos(k * self.step) * np.cos(q * beyond)).real)

    def state(self, x: Array) -> Array:
        """The ground state at points within the box, positive, with a mean square of 1 over the box."""
        nodes, weights = panels((0.0, self.step, self.wall), _NODES)
        mean_square = weights @ self._unscaled(nodes) ** 2 / self.wall
        return self._unscaled(x) / np.sqrt(mean_square)

    def _unscaled(self, x: Array) -> Array:
        energy, beyond = self.energy(), self.wall - self.step
        k, q = (np.sqrt(complex(energy - level)) for level in (self.inner, self.outer))

        def outside(distance: Array | float) -> Array:
            return np.asarray(distance * np.sinc(q * distance / np.pi)).real

        inside = np.cos(k * x).real / np.cos(k * self.step).real
        return np.where(np.abs(x) < self.step, inside, outside(self.wall - np.abs(x)) / outside(beyond))
