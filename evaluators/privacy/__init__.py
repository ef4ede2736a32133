"""Differential privacy: gradients of each example, clipped, with noise; what that hides is counted by a library."""
