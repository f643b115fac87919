"""Faults of the front door."""

from terminal.errors import MembercardError


class SettingsError(MembercardError):
    """The settings cannot be read or make no sense."""
