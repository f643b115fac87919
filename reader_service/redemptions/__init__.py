"""Redemptions at a counter: the journal, and what waits for the office."""
