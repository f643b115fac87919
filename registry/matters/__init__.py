"""Matters of members: opened at a window or on the phone, handed up and down, closed with a result."""
