"""Faults of the command line and its settings."""

from terminal.errors import MembercardError


class SettingsError(MembercardError):
    """The settings cannot be read or are invalid."""


class NoMemberCard(MembercardError):
    """The card at the reader has no member application."""


class NotProven(MembercardError):
    """There are users on record, and nobody proved who works here."""


class Interrupted(MembercardError):
    """The operator stopped a run in good order; the message says how to continue."""


class CardNotChanged(MembercardError):
    """Nothing is changed on the card in the reader: it is refused, or proves nothing."""
