"""What custody has sealed and shows to nobody: a test looks into its table."""

from __future__ import annotations

from terminal.keys import KeyCustody, MemoryCustody, Sealed, sealing


def hidden(custody: KeyCustody, secret: Sealed) -> bytes:
    """The sealed bytes, whatever their context."""
    assert isinstance(custody, MemoryCustody)
    return sealing.unseal(custody._table, secret).reveal()
