"""The commands, by what they are about: jobs, runs, functions."""
