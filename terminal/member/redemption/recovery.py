"""The redemption log of a card, and what became of a redemption whose answer never came. docs/redemption.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from terminal.apdu import Command, Sender, check
from terminal.emv.data.tags import (
    TAG_9A_TRANSACTION_DATE,
    TAG_9F10_IAD,
    TAG_9F16_MERCHANT_IDENTIFIER,
    TAG_9F21_TRANSACTION_TIME,
    TAG_9F26_AC,
    TAG_9F27_CID,
    TAG_9F36_ATC,
    TAG_9F37_UNPREDICTABLE_NUMBER,
)
from terminal.errors import CardMalformed, CardRefused, TlvError
from terminal.member import elements
from terminal.member.card_data import read_data
from terminal.member.proven import ProvenCard
from terminal.member.reading import LOG
from terminal.member.redemption.evidence import TC, RedemptionEvidence
from terminal.member.redemption.redeem import Redemption, RedemptionStatus, redeem
from terminal.member.redemption.request import RedemptionRequest
from terminal.tlv import Dol

_END: Final = frozenset((0x6A83, 0x6A82))
"""Status words behind the last record of a log that is not full, or empty."""
_NEEDED: Final = (
    (TAG_9F36_ATC, 2),
    (TAG_9A_TRANSACTION_DATE, 3),
    (TAG_9F21_TRANSACTION_TIME, 3),
    (TAG_9F27_CID, 1),
    (TAG_9F37_UNPREDICTABLE_NUMBER, 4),
    (TAG_9F26_AC, 8),
    (TAG_9F10_IAD, 14),
)
_SHARED: Final = (
    TAG_9F37_UNPREDICTABLE_NUMBER,
    TAG_9A_TRANSACTION_DATE,
    TAG_9F21_TRANSACTION_TIME,
    TAG_9F16_MERCHANT_IDENTIFIER,
    elements.BENEFIT_CLASS.tag,
    elements.QUANTITY.tag,
)
"""What a record and a request both have."""
_NOT_THERE: Final = 0x6A88
_ANOTHER: Final = "application transaction counter against the log"


@dataclass(frozen=True, slots=True)
class RedemptionRecord:
    """A record of the log, the newest being number 1. ``values`` are by tag, as the log format names them."""

    number: int
    values: Mapping[int, bytes]

    @property
    def atc(self) -> bytes:
        return self.values[TAG_9F36_ATC]

    @property
    def moment(self) -> bytes:
        """Local date and time, YYMMDDHHMMSS in BCD: comparable, since all years are of this century."""
        return self.values[TAG_9A_TRANSACTION_DATE] + self.values[TAG_9F21_TRANSACTION_TIME]

    def of(self, values: Mapping[int, bytes]) -> bool:
        """Whether it is the record of a request with these CDOL1 values."""
        return all(values.get(tag, own) == own for tag in _SHARED if (own := self.values.get(tag)) is not None)


def read_log(sender: Sender, place: tuple[int, int] = LOG) -> Iterator[RedemptionRecord]:
    """The records of the selected application, the newest first, each read when it is asked for. ``place`` is the file
    and the number of its records.

    Raises CardRefused (6985: contactless), CardMalformed for a format without what a redemption needs, for a record of
    another length and for transaction counters that do not fall, and TransportError.
    """
    form = read_data(sender, elements.LOG_FORMAT)
    if any(entry not in form.entries for entry in _NEEDED):
        raise CardMalformed("reading the redemption log: its format lacks what names a redemption")
    sfi, records = place
    newer: bytes | None = None
    for number in range(1, records + 1):
        operation = f"reading the redemption log, record {number}"
        response = sender.send(Command(0x00, 0xB2, number, sfi << 3 | 0x04, ne=256))
        if response.sw in _END:
            return
        record = RedemptionRecord(number, _split(form, check(response, operation), operation))
        if newer is not None and record.atc >= newer:
            raise CardMalformed(f"{operation}: its transaction counter is not below the one before")
        newer = record.atc
        yield record


def recover(sender: Sender, card: ProvenCard, request: RedemptionRequest) -> Redemption | None:
    """What became of a request that got no answer, in a new insertion of the card, with its verdict.

    None: the card counted nothing. DONE: it counted once, and has signed it again. LOGGED: it counted, was used
    elsewhere since, and only its log says so. UNKNOWN: ten later redemptions fill the log. NOT_PROVEN: it counted by
    its log, and answers what proves nothing. After any but None another redemption needs a new verdict.

    Raises as ``redeem`` and ``read_log``.
    """
    wanted = card.redemption_list
    sent = {int(tag): value for tag, value in wanted.split(request.fill(wanted)).items()}
    moment = sent[TAG_9A_TRANSACTION_DATE] + sent.get(TAG_9F21_TRANSACTION_TIME, bytes(3))
    sfi, records = card.log
    oldest: RedemptionRecord | None = None
    falling = True
    for oldest in read_log(sender, (sfi, records)):
        if oldest.of(sent):
            return _again(sender, card, request, oldest) if oldest.number == 1 else _logged(card, request, oldest)
        if falling and oldest.moment[:3] < moment[:3]:
            # The card takes no date before the last one, so older records are older days: unless a script set it back.
            falling = not _set_back(sender, moment[:3])
            if falling:
                return None
    if oldest is None or oldest.number < records:
        return None
    # Within a day only the oldest record counts: the clocks of the counters differ.
    if falling and oldest.moment < moment and not _set_back(sender, moment[:3]):
        return None
    return Redemption(RedemptionStatus.UNKNOWN, request, None)


def _set_back(sender: Sender, day: bytes) -> bool:
    """Whether a script set the last date of the card back that had this day or a later one: then records of earlier
    days may be newer than a request of this day. Raises as ``read_data``."""
    try:
        before = read_data(sender, elements.DATE_SET_BACK)
    except CardRefused as refused:
        if refused.sw == _NOT_THERE:
            return False  # an application of before
        raise
    return before is not None and elements.DATE_SET_BACK.encode(before) >= day


def _again(sender: Sender, card: ProvenCard, request: RedemptionRequest, record: RedemptionRecord) -> Redemption:
    """The same request again: the card answers with the same cryptogram under a fresh signature."""
    redemption = redeem(sender, card, request)
    if redemption.status is RedemptionStatus.REFUSED:
        return _logged(card, request, record)
    if redemption.done and redemption.evidence is not None and redemption.evidence.atc != record.atc:
        return Redemption(RedemptionStatus.NOT_PROVEN, request, redemption.evidence, check=_ANOTHER)
    return redemption


def _logged(card: ProvenCard, request: RedemptionRequest, record: RedemptionRecord) -> Redemption:
    """The redemption as the log has it: with its cryptogram, and without a signature."""
    wanted, cid = card.redemption_list, record.values[TAG_9F27_CID][0]
    if cid != TC:
        raise CardMalformed(f"reading the redemption log, record {record.number}: {cid:02X} is no TC")
    evidence = RedemptionEvidence(
        aid=card.card.application.name,
        card_number=card.card_number,
        sequence=card.sequence,
        aip=card.aip,
        related=b"",
        wanted=wanted.encode(),
        values=request.fill(wanted),
        cid=cid,
        atc=record.atc,
        signature=b"",
        cryptogram=record.values[TAG_9F26_AC],
        issuer_data=record.values[TAG_9F10_IAD],
    )
    return Redemption(RedemptionStatus.LOGGED, request, evidence)


def _split(form: Dol, data: bytes, operation: str) -> dict[int, bytes]:
    try:
        return {int(tag): value for tag, value in form.split(data).items()}
    except TlvError as error:
        raise CardMalformed(f"{operation}: {error}") from error
