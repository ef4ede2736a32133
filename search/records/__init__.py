"""Typed records of a run's files, and their JSON."""
