"""Issuing: keys, profiles, stock, dossiers, the line, and boxes of cards."""
