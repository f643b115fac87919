"""Grants that are paid (补助): lists, budgets, and who had what."""
