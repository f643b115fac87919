"""Intake: rosters and their batches, and what waits for a second person."""
