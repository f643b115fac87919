"""Application identifiers. ISO/IEC 7816-4:2020, 12.2.3."""

from __future__ import annotations

from typing import Self

from terminal.errors import CodecError


class Aid(bytes):
    """An application identifier, 5 to 16 bytes: the RID (5), then the proprietary extension.

    From bytes or hex digits; prints as upper-case hex. Raises CodecError for another length or other characters.
    """

    def __new__(cls, value: bytes | str) -> Self:
        try:
            raw = bytes.fromhex(value) if isinstance(value, str) else bytes(value)
        except ValueError as error:
            raise CodecError(f"{value!r} is not an AID: not hexadecimal") from error
        if not 5 <= len(raw) <= 16:
            raise CodecError(f"an AID of {len(raw)} bytes; 5 to 16 are possible")
        return super().__new__(cls, raw)

    @property
    def rid(self) -> bytes:
        return self[:5]

    def __str__(self) -> str:
        return self.hex().upper()

    def __repr__(self) -> str:
        return f"Aid('{self}')"


ISD_AID = Aid("A000000151000000")
"""The issuer security domain of GlobalPlatform cards. GPC 2.3.1, H.1.3."""
