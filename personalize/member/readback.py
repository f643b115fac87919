"""Read-back of the member application: what a counter and the union read must be what the dossier says."""

from __future__ import annotations

from personalize.dossiers.dossier import DossierApplication
from personalize.errors import LineStopped, ReadBackError
from personalize.member.prepare import PROTECTED, READ_KEYS, VALIDITY
from personalize.protocols import ReadBackRun, same
from personalize.reasons import RejectCode
from terminal.apdu import Command, Response, Sender
from terminal.emv.data.records import read_record
from terminal.emv.data.tags import TAG_6F_FCI, TAG_77_FORMAT_2, TAG_84_DF_NAME
from terminal.errors import CardMalformed, MembercardError, TransportError
from terminal.globalplatform import FULL, HostAuthentication, open_channel
from terminal.keys import CardKeys, Sealed
from terminal.localtime import date_time
from terminal.member import elements
from terminal.member.hotlist import Hotlist
from terminal.member.outcome import NOT_THE_CARD, OUT_OF_TIME, VerdictCode, in_order
from terminal.member.signed import Issue
from terminal.member.verdict import verify
from terminal.tlv import decode, tlv

_SELECT, _OPTIONS, _READ_RECORD = 0xA4, 0xA8, 0xB2


class _Recorder:
    """A sender that remembers what was asked and answered, and the fault that ended it."""

    def __init__(self, inner: Sender) -> None:
        self._inner = inner
        self.answers: list[tuple[Command, Response]] = []
        self.fault: MembercardError | None = None

    def send(self, command: Command) -> Response:
        try:
            response = self._inner.send(command)
        except (TransportError, CardMalformed) as fault:
            self.fault = fault
            raise
        self.answers.append((command, response))
        return response


def read_back_member(run: ReadBackRun, member: DossierApplication) -> dict[str, str]:
    """Verify the card as a counter does, then compare everything that was read with the dossier; the verdict and what
    proved it."""
    recorder = _Recorder(run.sender)
    # A chip in the line was with nobody yet, so that no hotlist can name its card.
    nobody = Hotlist.of((), Issue(1, run.at, run.at))
    verdict = verify(recorder, trust=run.trust, hotlist=nobody, at=run.at, aid=member.instance_aid)
    if recorder.fault is not None:
        raise recorder.fault
    if verdict.code is VerdictCode.CARD_FAULT:
        raise CardMalformed(f"reading back as a counter: {verdict.sentence}")
    if verdict.code in NOT_THE_CARD:
        _compare(member, recorder.answers, whole=False)
        code = RejectCode.DATES if verdict.code in OUT_OF_TIME else RejectCode.TRUST
        now = date_time(run.at)
        sentence = f"the chip holds its data, but at {now} a counter says: {verdict.sentence}"
        raise LineStopped(f"{sentence} See that clock, time_zone and profile are right", code)
    if verdict.code is not _expected(member):
        sentence = f"{verdict.code}, {verdict.sentence}"
        raise ReadBackError("the verdict", sentence, RejectCode.READ_BACK_VERDICT, verdict=verdict.code.value)
    _compare(member, recorder.answers)
    _compare_protected(run, member)
    return {"verdict": verdict.code.value, "proven": verdict.proof.value}


def _expected(member: DossierApplication) -> VerdictCode:
    """The verdict on a card with these data: good, and for a member to activate where it has to be."""
    validity = decode(member.records()[VALIDITY >> 8, VALIDITY & 0xFF])[0].children
    return in_order(activated=validity.get(elements.ACTIVATED_ON.tag) != bytes(3))


def _compare(application: DossierApplication, answers: list[tuple[Command, Response]], *, whole: bool = True) -> None:
    """FCI, options and every clear record against the dossier; without ``whole`` those records that were read."""
    read: dict[tuple[int, int], bytes] = {}
    for command, response in answers:
        if command.ins == _SELECT:
            name = tlv(TAG_84_DF_NAME, application.instance_aid).encode()
            same("the FCI", response.data, tlv(TAG_6F_FCI, name + application.plain(0x9102)).encode())
        elif command.ins == _OPTIONS:
            same("the processing options", response.data, tlv(TAG_77_FORMAT_2, application.plain(0x9104)).encode())
        elif command.ins == _READ_RECORD:
            read[command.p2 >> 3, command.p1] = response.data
    expected = application.records()
    for place in expected.keys() | read.keys() if whole else read.keys():
        same(f"record {place[0]}.{place[1]}", read.get(place, b""), expected.get(place, b""))


def _compare_protected(run: ReadBackRun, member: DossierApplication) -> None:
    """The protected record, inside SCP03 with the card's read keys; the application is still selected."""
    keys = member.secret(READ_KEYS, CardKeys)
    chip = f"{run.dossier.card_number}-{run.dossier.sequence:02d} read keys"
    channel = open_channel(run.sender, HostAuthentication(keys, FULL, keys.version), run.custody, run.guard, chip=chip)
    record = read_record(channel, PROTECTED >> 8, PROTECTED & 0xFF)
    same("the protected record", record.raw, run.custody.open(member.secret(PROTECTED, Sealed)).reveal())
