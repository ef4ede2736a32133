"""The baseline: known functions trained before the search, as the best of them is what a find has to beat."""
