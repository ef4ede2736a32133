"""Training: stacks of models in lockstep, the plain trainer beside them, checkpoints."""
