"""The answer to INITIALIZE UPDATE. GPC 2.3.1, E.5.1 (SCP02); GPC 2.3.1 Amendment D 1.2, 7.1.1 (SCP03)."""

from __future__ import annotations

from dataclasses import dataclass

from construct import Byte, Bytes, ConstructError, Optional, Struct, Terminated

from terminal.errors import CardMalformed, SecureChannelError
from terminal.keys.custody import Scp, SessionRequest

S16 = 0x01
"""Bit of the SCP03 ``i`` parameter: challenges, cryptograms and MACs of 16 bytes instead of 8."""

_KEY_INFORMATION = Struct("key_data" / Bytes(10), "version" / Byte, "scp" / Byte)
_SCP02 = Struct(
    "key_data" / Bytes(10),
    "version" / Byte,
    "scp" / Byte,
    "sequence" / Bytes(2),
    "challenge" / Bytes(6),
    "cryptogram" / Bytes(8),
    Terminated,
)
_SCP03 = Struct(
    "key_data" / Bytes(10),
    "version" / Byte,
    "scp" / Byte,
    "i" / Byte,
    "challenge" / Bytes(lambda c: 16 if c.i & S16 else 8),
    "cryptogram" / Bytes(lambda c: 16 if c.i & S16 else 8),
    "sequence" / Optional(Bytes(3)),
    Terminated,
)


@dataclass(frozen=True, slots=True)
class InitializeUpdate:
    """The unauthenticated answer of a card.

    ``key_data`` (10 bytes) diversifies its keys. ``sequence`` is the SCP02 counter (2 bytes), or the SCP03 counter (3
    bytes; empty where the challenge is random). ``i`` is reported by SCP03 cards only; for SCP02 it is that of the
    caller.
    """

    scp: Scp
    i: int
    version: int
    key_data: bytes
    sequence: bytes
    card_challenge: bytes
    card_cryptogram: bytes

    @classmethod
    def parse(cls, data: bytes, *, scp02_i: int) -> InitializeUpdate:
        """From the response data: SCP02 28 bytes; SCP03 29 or 32, in S16 mode 45 or 48.

        Raises SecureChannelError for another protocol, CardMalformed for a wrong length.
        """
        try:
            scp = _KEY_INFORMATION.parse(data).scp
            if scp == 0x02:
                answer = _SCP02.parse(data)
            elif scp == 0x03:
                answer = _SCP03.parse(data)
            else:
                raise SecureChannelError(f"the card uses SCP{scp:02X}; only SCP02 and SCP03 are supported")
        except ConstructError as error:
            raise CardMalformed(f"INITIALIZE UPDATE: {len(data)} bytes do not make a valid answer") from error
        return cls(
            scp=Scp(f"{answer.scp:02d}"),
            i=scp02_i if answer.scp == 0x02 else answer.i,
            version=answer.version,
            key_data=answer.key_data,
            sequence=answer.sequence or b"",
            card_challenge=answer.challenge,
            card_cryptogram=answer.cryptogram,
        )

    def request(self, host_challenge: bytes) -> SessionRequest:
        """The data from which session keys are derived."""
        return SessionRequest(self.scp, self.i, host_challenge, self.card_challenge, self.sequence)
