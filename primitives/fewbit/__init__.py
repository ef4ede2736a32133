"""Few-bit backward: a derivative of few constant levels, of which a layer keeps the numbers instead of its input."""
