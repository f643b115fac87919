"""Command line and demo: settings, and the wiring of the other rooms. Holds no rules."""
