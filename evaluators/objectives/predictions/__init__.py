"""Objectives of what the models predict on validation examples: right, sure of it, and alike between seeds."""
