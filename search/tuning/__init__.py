"""Tuning: a search over optimiser, rate, schedule and decay for each finalist and each control alike."""
