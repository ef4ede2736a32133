"""The machine: devices and types, how it rounds, how fast it is."""
