"""Measurements, run as scripts. A package, as opacus installs one of this name, which would come first."""
