"""sympy."""
