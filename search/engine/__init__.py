"""The search itself: propose, train, record; it knows of no screen and no page."""
