"""Evolis card printers: commands and answers of programming guide A5013, and the panels of a print."""
