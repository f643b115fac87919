"""Covers: the lists of changes, who is covered, and why."""
