"""Any card printer with a queue of CUPS: the face is printed through it, and the chip is done apart by a person."""
