"""The office as a counter sees it: it takes rows of the journal, or it is away, or it refuses with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from reader_service.redemptions.intents import UploadBatch
from registry.programme.grants import GrantRefused, GrantRequest, OnlineGrant
from terminal.errors import MembercardError


class UploadFaultCode(StrEnum):
    """Why rows wait. Whatever it is, they stay in the journal and are sent again."""

    AWAY = "office-away"
    TOKEN = "office-token"  # noqa: S105  # a name
    TOKEN_FILE = "office-token-file"  # noqa: S105  # a name
    ROLE = "office-role"
    OUTLET = "office-outlet"
    OUTLET_MISSING = "office-outlet-missing"
    ROWS = "office-rows"
    TOO_LARGE = "office-too-large"
    ADDRESS = "office-address"
    ANSWER = "office-answer"
    TERMINAL = "office-terminal"
    KEY = "office-key"
    JOURNAL = "office-journal"
    DISK = "office-disk"


SENTENCES: Final[Mapping[UploadFaultCode, str]] = {
    UploadFaultCode.AWAY: "the office cannot be reached; the upload goes on by itself when it is back",
    UploadFaultCode.TOKEN: "the office does not accept this counter's token: ask it for a new one, and put it into "
    "the file of upload_token_file",
    UploadFaultCode.TOKEN_FILE: "the file of upload_token_file cannot be read, holds no token, or is open to others: "
    "put the office's token into it",
    UploadFaultCode.ROLE: "the token of this counter has not the role counter: ask the office for one that has",
    UploadFaultCode.OUTLET: "the office has this journal under another outlet: use the token of that outlet, or ask "
    "the office if this counter was moved",
    UploadFaultCode.OUTLET_MISSING: "the token of this counter is bound to no outlet: ask the office for the token "
    "of an outlet",
    UploadFaultCode.ROWS: "the office does not understand these rows of the journal: bring both programs to one "
    "version, and tell the office",
    UploadFaultCode.TOO_LARGE: "the office takes no upload of this size, not even of one row: ask it to allow larger "
    "requests",
    UploadFaultCode.ADDRESS: "there is no office at the address of upload_url: correct the setting",
    UploadFaultCode.ANSWER: "what answers at upload_url is not an office: correct the setting, or look for a proxy "
    "between",
    UploadFaultCode.TERMINAL: "no outlet of this merchant has this counter's terminal on record: record it, or set "
    "upload_url if the office is elsewhere",
    UploadFaultCode.KEY: "this installation has no key that proves redemptions: set upload_url if the office is "
    "elsewhere",
    UploadFaultCode.JOURNAL: "the office has later rows of this journal: it is an older copy, or the office has "
    "another one of the same name; stop, and ask the office before you redeem",
    UploadFaultCode.DISK: "the redemption journal cannot be read or written: make room on the disk, and start the "
    "service again",
}
"""What to do, by fault."""


class ReceiverAway(MembercardError):
    """Nobody knows whether the office has the rows: the line or the office is down. ``cause`` is a detail for logs."""

    def __init__(self, cause: str) -> None:
        super().__init__(SENTENCES[UploadFaultCode.AWAY])
        self.cause = cause


class UploadRefused(MembercardError):
    """The office took nothing, and a person has to act."""

    def __init__(self, fault: UploadFaultCode) -> None:
        super().__init__(SENTENCES[fault])
        self.fault = fault


@dataclass(frozen=True, slots=True)
class UploadReceipt:
    """What came of a batch: redemptions booked now, those known before, findings by kind."""

    booked: int = 0
    known: int = 0
    findings: Mapping[str, int] = field(default_factory=dict)


class UploadReceiver(Protocol):
    """The office: where rows go, and where benefits are counted. All calls raise ReceiverAway and UploadRefused."""

    def through(self, journal: str) -> int:
        """The number of the last row that the office has of a journal; 0 for a new one."""
        ...

    def take(self, batch: UploadBatch) -> UploadReceipt:
        """Hand over rows. Rows that the office has change nothing."""
        ...

    def ask(self, wanted: GrantRequest) -> OnlineGrant | GrantRefused:
        """Ask for a use of a benefit that the office counts. Asked again, it is the same use."""
        ...
