"""Functions of a run as code that needs nothing of this project."""
