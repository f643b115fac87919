"""Packing and hand-over: boxes of a batch, their way to the units, and moves of many cards with undo."""
