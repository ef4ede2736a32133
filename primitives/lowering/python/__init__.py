"""What the targets in Python share."""
