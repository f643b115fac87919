"""Read-back of payment application and directories after personalization.

Each is selected and read as a terminal does, and everything is compared with the dossier.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from personalize.dossiers.dossier import Dossier, DossierApplication
from personalize.errors import ReadBackError
from personalize.payment.image import card_objects
from personalize.payment.prepare import ECASH_OPTIONS, FCI, OPTIONS, PIN_TRIES, SM
from personalize.protocols import ReadBackRun, same
from terminal.apdu import Command, Sender, check
from terminal.emv.data.records import Afl, read_record
from terminal.emv.data.tags import (
    TAG_5F2A_CURRENCY,
    TAG_6F_FCI,
    TAG_9F4F_LOG_FORMAT,
    TAG_9F7A_ECASH_INDICATOR,
    TAG_9F17_PIN_TRY_COUNTER,
    TAG_9F38_PDOL,
    TAG_9F51_CARD_RISK_CURRENCY,
    TAG_80_FORMAT_1,
    TAG_82_AIP,
    TAG_83_COMMAND_TEMPLATE,
    TAG_84_DF_NAME,
    TAG_94_AFL,
    TAG_DF69_SM_INDICATOR,
)
from terminal.errors import CodecError, TlvError
from terminal.tlv import Dol, decode, tlv

_READ_AT_CONTACT = tuple((number + offset, offset) for number in (OPTIONS, ECASH_OPTIONS) for offset in (0, SM))


class PaymentProof(Protocol):
    """Proves the payment application by use, with a transaction whose cryptogram the issuer checks."""

    def __call__(self, sender: Sender, dossier: Dossier, at: datetime) -> str:
        """A word for the journal about the proof. ``sender`` reaches a chip just reset, whose data are verified
        against the dossier; ``at`` is the time of the transaction. Raises ReadBackError, CardError, TransportError,
        and LineStopped for a failure by date or CA key, which is not the chip's."""
        ...


def read_back_directory(run: ReadBackRun, directory: DossierApplication) -> dict[str, str]:
    """Compare a directory, PSE or PPSE."""
    sender = run.sender
    name = directory.instance_aid.decode("ascii")
    _select(sender, directory, f"directory {name}")
    for (sfi, number), expected in directory.records().items():
        same(f"record {sfi}.{number} of {name}", read_record(sender, sfi, number).raw, expected)
    return {}


def read_back_payment(run: ReadBackRun, application: DossierApplication) -> dict[str, str]:
    """Compare the payment application. Contactless data (9103, 9207) are not read."""
    sender = run.sender
    records = application.records()
    stored = card_objects(records)
    for dgi, offset in _READ_AT_CONTACT:
        if dgi not in [part.number for part in application.parts]:
            continue
        _select(sender, application, "payment application")
        expected = application.plain(dgi)
        values = {
            TAG_DF69_SM_INDICATOR: bytes((offset > 0,)),
            TAG_5F2A_CURRENCY: stored.get(TAG_9F51_CARD_RISK_CURRENCY) or b"",
        }
        if dgi in (ECASH_OPTIONS, ECASH_OPTIONS + SM):
            values[TAG_9F7A_ECASH_INDICATOR] = b"\x01"  # for an amount of 0, so that an empty purse suffices
        same("the payment processing options", _options(sender, application, values), expected)
        for sfi, number, _ in Afl.parse(decode(expected).need(TAG_94_AFL)).records():
            read = read_record(sender, sfi, number).raw
            same(f"payment record {sfi}.{number}", read, records.get((sfi, number), b""))
    if log_format := stored.get(TAG_9F4F_LOG_FORMAT):
        _data(sender, TAG_9F4F_LOG_FORMAT, log_format, "the log format")
    if tries := next((p.value for p in application.parts if p.number == PIN_TRIES), None):
        _data(sender, TAG_9F17_PIN_TRY_COUNTER, bytes(tries[:1]) if isinstance(tries, bytes) else b"", "the PIN tries")
    return {}


def _select(sender: Sender, application: DossierApplication, what: str) -> None:
    select = Command(0x00, 0xA4, 0x04, 0x00, application.instance_aid, ne=256)
    read = check(sender.send(select), f"selecting the {what}")
    name = tlv(TAG_84_DF_NAME, application.instance_aid).encode()
    same(f"the FCI of the {what}", read, tlv(TAG_6F_FCI, name + application.plain(FCI)).encode())


def _options(sender: Sender, application: DossierApplication, values: dict[int, bytes]) -> bytes:
    """82 and 94 as objects, from an answer in either format. EMV 4.4 Book 3, 6.5.8."""
    pdol = decode(application.plain(FCI))[0].children.get(TAG_9F38_PDOL) or b""
    data = Dol.parse(pdol).fill(values)
    operation = "getting the payment processing options"
    command = Command(0x80, 0xA8, data=tlv(TAG_83_COMMAND_TEMPLATE, data).encode(), ne=256)
    answer = check(sender.send(command), operation)
    try:
        template = decode(answer)[0]
        if template.tag == TAG_80_FORMAT_1:
            return tlv(TAG_82_AIP, template.value[:2]).encode() + tlv(TAG_94_AFL, template.value[2:]).encode()
        return (
            tlv(TAG_82_AIP, template.children.need(TAG_82_AIP)).encode()
            + tlv(TAG_94_AFL, template.children.need(TAG_94_AFL)).encode()
        )
    except (IndexError, TlvError, CodecError):
        raise ReadBackError("the payment processing options", "the answer is in neither format of EMV") from None


def _data(sender: Sender, tag: int, expected: bytes, what: str) -> None:
    read = check(sender.send(Command(0x80, 0xCA, tag >> 8, tag & 0xFF, ne=256)), f"reading {what}")
    same(what, read, tlv(tag, expected).encode())
