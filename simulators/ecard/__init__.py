"""A member's telephone that shows an e-card, written from docs/e-card.md alone."""
