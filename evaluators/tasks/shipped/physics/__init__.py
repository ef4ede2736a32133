"""Equations that a network solves without data: it is trained on what is left of the equation at points."""
