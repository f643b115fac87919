"""Card applications of the virtual card."""
