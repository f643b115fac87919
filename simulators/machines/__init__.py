"""Simulated machines of a card station: they move, print and stripe virtual cards."""
