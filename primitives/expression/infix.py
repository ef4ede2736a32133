"""Infix symbols: the operator that each stands for and how tightly it binds; reading and printing share them."""

from __future__ import annotations

INFIX = {
    ">": ("gt", 1), ">=": ("ge", 1), "<": ("lt", 1), "<=": ("le", 1),
    "+": ("add", 2), "-": ("sub", 2), "*": ("mul", 3), "/": ("div", 3), "**": ("pow", 5),
}  # fmt: skip
SIGN_LEVEL, ATOM_LEVEL = 4, 6
