"""Refusals of a task: settings, data, losses, metrics and networks that cannot be what was meant."""
