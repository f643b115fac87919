"""`membercard box`."""
