"""The magnetic stripe of a virtual card: bits on three tracks, their formats, and the file that keeps them."""
