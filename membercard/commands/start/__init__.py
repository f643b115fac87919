"""Getting started: the demo, and the check of this machine."""
