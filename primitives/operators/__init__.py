"""The operators: one table, its kernels and formulas, and how one of one's own is probed and added."""
