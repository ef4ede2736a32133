"""The tasks that are shipped: their data installs with a package or with Python."""
