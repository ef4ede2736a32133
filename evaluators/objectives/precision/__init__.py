"""What a network loses where its activations have fewer bits, or noise; and their outliers."""
