"""Shipped tasks that need a library out of an extra."""
