"""Checkpoints of unfinished trainings."""
