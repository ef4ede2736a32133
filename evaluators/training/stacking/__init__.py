"""Stacks: many copies of one network, trained as one batched computation."""
