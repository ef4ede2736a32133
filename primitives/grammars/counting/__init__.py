"""Counting: how many derivations of each type there are, and which of them has a given number."""
