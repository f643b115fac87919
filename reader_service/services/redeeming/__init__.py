"""Redemptions at the readers of this machine: insertions, results, the queue for the office, and the cashiers."""
