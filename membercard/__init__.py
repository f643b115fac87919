"""The front door: the command line, settings and the demo. Wires the rooms together; holds no rules."""
