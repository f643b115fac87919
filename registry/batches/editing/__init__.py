"""Edits of a returned roster: rows changed, added, left out or corrected, and their history."""
