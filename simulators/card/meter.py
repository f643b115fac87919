"""The work of one exchange on the chip: input of the timing model."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class WorkMeter:
    """The last exchange: bytes of command and response APDU, EEPROM pages written, cryptographic operations by kind
    (``des``, ``aes`` and ``sha`` in blocks, ``rsa`` in private powers)."""

    bytes_in: int = 0
    bytes_out: int = 0
    pages: int = 0
    operations: dict[str, int] = field(default_factory=dict)

    def start(self, bytes_in: int) -> None:
        self.bytes_in, self.bytes_out, self.pages = bytes_in, 0, 0
        if self.operations:
            self.operations = {}

    def count_work(self, operation: str, blocks: int = 1) -> None:
        self.operations[operation] = self.operations.get(operation, 0) + blocks
