"""torch source."""
