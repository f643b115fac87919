"""The line of a demo's counter to the office, which is in the same installation: it can be cut."""

from __future__ import annotations

from reader_service.redemptions.asking import IssuerLine
from reader_service.redemptions.intents import UploadBatch
from reader_service.redemptions.receiver import ReceiverAway, UploadReceipt, UploadReceiver
from registry.programme.grants import GrantRefused, GrantRequest, OnlineGrant


class DemoLine:
    """The office behind a line: while it is not ``up``, nobody is there."""

    def __init__(self, issuer: UploadReceiver) -> None:
        self._issuer, self.up = issuer, True

    def of_counter(self) -> IssuerLine:
        """The same, as a counter has it."""
        return IssuerLine(self, lambda: self.up)

    def through(self, journal: str) -> int:
        return self._reached().through(journal)

    def take(self, batch: UploadBatch) -> UploadReceipt:
        return self._reached().take(batch)

    def ask(self, wanted: GrantRequest) -> OnlineGrant | GrantRefused:
        return self._reached().ask(wanted)

    def _reached(self) -> UploadReceiver:
        if not self.up:
            raise ReceiverAway("the line of the demo is down")
        return self._issuer
