"""Connects the packages: settings become a line, a service, a terminal, signed lists."""
