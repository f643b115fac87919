"""The outcome of a transaction: one value for till, receipt and acquirer. EMV 4.4 Book 4, 6.3 and 11."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from terminal.emv.data.bits import TSI, TVR
from terminal.emv.transaction.step import Step


class Result(StrEnum):
    """The result. Only the first two are approvals."""

    APPROVED_OFFLINE = "approved offline"
    APPROVED_ONLINE = "approved online"
    DECLINED_OFFLINE = "declined offline"
    DECLINED_ONLINE = "declined online"
    TERMINATED = "terminated"
    """The card or its data make a transaction impossible. EMV 4.4 Book 3, 7.5."""
    TRY_ANOTHER_INTERFACE = "try another interface"
    """No application in common: another interface of the card may work."""
    CANCELLED = "cancelled"
    """The cardholder chose no application, or cancelled."""


class CryptogramType(StrEnum):
    """Kind of the cryptogram that a card returns. EMV 4.4 Book 3, 6.5.5.4, table 15."""

    AAC = "AAC"
    TC = "TC"
    ARQC = "ARQC"


@dataclass(frozen=True, slots=True)
class Cryptogram:
    """One answer to GENERATE AC. ``ac`` is 8 bytes, ``atc`` 2, ``issuer_data`` (9F10) up to 32 or empty.

    ``verified``: a CDA signature over it was verified.
    """

    kind: CryptogramType
    cid: int
    atc: bytes
    ac: bytes
    issuer_data: bytes
    verified: bool = False


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """The result of one issuer script, 5 bytes in 9F5B. EMV 4.4 Book 4, Annex A5.

    ``template`` is 71 or 72; ``identifier`` 4 bytes (zero where the script has none); ``failed_at`` the number of the
    command that failed, counted from 1 (0: unspecified); None where all succeeded.
    """

    template: int
    identifier: bytes
    commands: int
    performed: bool
    failed_at: int | None

    def encode(self) -> bytes:
        """Nibbles: 0 not performed, 1 failed, 2 successful; then the number of the failed command, F for 15 or more."""
        if not self.performed:
            return b"\x00" + self.identifier
        if self.failed_at is None:
            return b"\x20" + self.identifier
        return bytes((0x10 | min(self.failed_at, 0x0F),)) + self.identifier


@dataclass(frozen=True, slots=True)
class Receipt:
    """The content of a receipt; the card number is masked. EMV 4.4 Book 4, 11.4."""

    aid: str
    application: str
    card_number: str
    amount: int
    currency: str
    date: str
    time: str
    cryptogram: str
    response_code: str
    signature_line: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one transaction. ``cvm_results`` (9F34) is 3 bytes or empty.

    ``response_code`` is tag 8A as text, empty where the transaction never came to a decision. ``reversal`` and
    ``advice`` are messages due to the acquirer. ``first`` and ``second`` are the two cryptograms, where they exist.
    ``interrupted``: the card was removed, or did not answer in time.
    """

    result: Result
    reason: str
    steps: tuple[Step, ...]
    tvr: TVR
    tsi: TSI
    aid: bytes | None = None
    response_code: str = ""
    cvm_results: bytes = b""
    first: Cryptogram | None = None
    second: Cryptogram | None = None
    scripts: tuple[ScriptResult, ...] = ()
    reversal: bool = False
    advice: bool = False
    signature: bool = False
    receipt: Receipt | None = None
    interrupted: bool = False

    @property
    def approved(self) -> bool:
        return self.result in (Result.APPROVED_OFFLINE, Result.APPROVED_ONLINE)

    @property
    def message(self) -> str:
        """The display message for the cardholder. EMV 4.4 Book 4, 6.6.1; 11.2, table 8."""
        return "PROCESSING ERROR" if self.interrupted else _MESSAGES[self.result]

    @property
    def script_results(self) -> bytes:
        """Tag 9F5B: 5 bytes for each script, in order of arrival. EMV 4.4 Book 4, Annex A5."""
        return b"".join([script.encode() for script in self.scripts])

    def to_json(self) -> dict[str, Any]:
        """For machines: hex upper case, card number masked."""
        return {
            "result": self.result.value,
            "approved": self.approved,
            "reason": self.reason,
            "message": self.message,
            "aid": self.aid and self.aid.hex().upper(),
            "response_code": self.response_code,
            "tvr": self.tvr.encode().hex().upper(),
            "tsi": self.tsi.encode().hex().upper(),
            "cvm_results": self.cvm_results.hex().upper(),
            "cryptograms": [
                _cryptogram(cryptogram) for cryptogram in (self.first, self.second) if cryptogram is not None
            ],
            "script_results": self.script_results.hex().upper(),
            "reversal": self.reversal,
            "advice": self.advice,
            "signature": self.signature,
            "steps": [
                {
                    "stage": step.stage.value,
                    "text": step.text,
                    "source": step.source,
                    "tvr": step.tvr.encode().hex().upper(),
                    "tsi": step.tsi.encode().hex().upper(),
                }
                for step in self.steps
            ],
        }


def _cryptogram(cryptogram: Cryptogram) -> dict[str, Any]:
    return {
        "kind": cryptogram.kind.value,
        "cid": f"{cryptogram.cid:02X}",
        "atc": cryptogram.atc.hex().upper(),
        "ac": cryptogram.ac.hex().upper(),
        "issuer_data": cryptogram.issuer_data.hex().upper(),
        "verified": cryptogram.verified,
    }


_MESSAGES = {
    Result.APPROVED_OFFLINE: "APPROVED",
    Result.APPROVED_ONLINE: "APPROVED",
    Result.DECLINED_OFFLINE: "DECLINED",
    Result.DECLINED_ONLINE: "DECLINED",
    Result.TERMINATED: "NOT ACCEPTED",
    Result.TRY_ANOTHER_INTERFACE: "USE MAG STRIPE",
    Result.CANCELLED: "CANCELLED",
}
