"""The terminal: progress, tables, cards."""
