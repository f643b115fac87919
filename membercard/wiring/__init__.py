"""Connects the rooms: settings become a line, a service, a terminal, signed lists."""
