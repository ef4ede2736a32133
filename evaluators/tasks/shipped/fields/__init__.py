"""Tasks whose data is a function that is known everywhere: signals, densities, formulas."""
