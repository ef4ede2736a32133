"""Tables of known scores, and strategies replayed on them."""
