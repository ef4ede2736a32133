"""The search itself: propose, train, record. It imports no terminal and no report."""
