"""An expression as a layer of torch."""
