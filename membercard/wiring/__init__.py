"""Puts the rooms together: settings become a line, a service, a terminal, signed lists."""
