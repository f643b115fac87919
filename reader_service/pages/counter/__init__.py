"""Pages of a counter: the verdict on a card, and redemptions."""
