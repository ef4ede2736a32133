"""Places: where a candidate goes in a network."""
