"""Read-back: a fresh session reads what a counter and the union would read, and compares it with the dossier."""

from __future__ import annotations

from datetime import datetime

from personalize.dossiers.dossier import Dossier, DossierApplication
from personalize.errors import ReadBackError
from personalize.payment.readback import read_back_others
from personalize.payment.readback import same as _same
from personalize.reasons import RejectCode
from terminal.apdu import Command, Response, Sender
from terminal.emv.data.records import read_record
from terminal.emv.data.tags import TAG_6F_FCI, TAG_77_FORMAT_2, TAG_84_DF_NAME
from terminal.errors import CardMalformed, MembercardError, TransportError
from terminal.globalplatform import (
    C_ENC,
    FULL,
    AuthenticationGuard,
    CardLifeCycleState,
    HostAuthentication,
    SecurityDomain,
    StatusScope,
    open_channel,
)
from terminal.keys import CardKeys, KeyCustody
from terminal.member.outcome import Verdict, VerdictCode
from terminal.member.trust import TrustList
from terminal.member.verdict import verify
from terminal.tlv import tlv

_SELECT, _OPTIONS, _READ_RECORD = 0xA4, 0xA8, 0xB2
_PROTECTED = (5, 1)


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


def read_back(
    sender: Sender,
    dossier: Dossier,
    final: CardKeys,
    custody: KeyCustody,
    guard: AuthenticationGuard,
    trust: TrustList,
    at: datetime,
    chip: str,
) -> Verdict:
    """The counter's verdict, when everything on the chip is as the dossier says. ``sender`` reaches a chip just reset;
    ``chip`` is the serial that the dossier is bound to.

    Raises ReadBackError naming the first difference, CardError and TransportError where the chip cannot be read.
    """
    member = dossier.member
    recorder = _Recorder(sender)
    verdict = verify(recorder, trust=trust, hotlist=None, at=at, aid=member.instance_aid)
    if recorder.fault is not None:
        raise recorder.fault
    if verdict.code is VerdictCode.CARD_FAULT:
        raise CardMalformed(f"reading back as a counter: {verdict.sentence}")
    if verdict.code is not VerdictCode.ACTIVE:
        said = f"{verdict.code}, {verdict.sentence}"
        raise ReadBackError("the verdict", said, RejectCode.READ_BACK_VERDICT, verdict=verdict.code.value)
    _compare(member, recorder.answers)
    _protected(sender, dossier, custody, guard)
    read_back_others(sender, dossier)
    _domain(sender, final, custody, guard, chip)
    return verdict


def _compare(application: DossierApplication, answers: list[tuple[Command, Response]]) -> None:
    """FCI, options and every clear record against the dossier."""
    read: dict[tuple[int, int], bytes] = {}
    for command, response in answers:
        if command.ins == _SELECT:
            name = tlv(TAG_84_DF_NAME, application.instance_aid).encode()
            _same("the FCI", response.data, tlv(TAG_6F_FCI, name + application.plain(0x9102)).encode())
        elif command.ins == _OPTIONS:
            _same("the processing options", response.data, tlv(TAG_77_FORMAT_2, application.plain(0x9104)).encode())
        elif command.ins == _READ_RECORD:
            read[command.p2 >> 3, command.p1] = response.data
    expected = application.records()
    for place in expected.keys() | read.keys():
        _same(f"record {place[0]}.{place[1]}", read.get(place, b""), expected.get(place, b""))


def _protected(sender: Sender, dossier: Dossier, custody: KeyCustody, guard: AuthenticationGuard) -> None:
    """The protected record, inside SCP03 with the card's read keys; the application is selected still."""
    wanted = HostAuthentication(dossier.read_keys, FULL, dossier.read_keys.version)
    chip = f"{dossier.card_number}-{dossier.sequence:02d} read keys"
    channel = open_channel(sender, wanted, custody, guard, chip=chip)
    record = read_record(channel, *_PROTECTED)
    _same("the protected record", record.raw, custody.open(dossier.protected).reveal())


def _domain(sender: Sender, final: CardKeys, custody: KeyCustody, guard: AuthenticationGuard, chip: str) -> None:
    """The security domain: the bound chip, only the final key set, it opens the channel, and the card is SECURED."""
    domain = SecurityDomain(sender, custody, guard)
    domain.select()
    if domain.chip() != chip:
        other = "the chip gives another serial than when it was bound"
        raise ReadBackError("the production data", other, RejectCode.READ_BACK_CHIP)
    versions = {key.version for key in domain.key_information()}
    if versions != {final.version}:
        named = ", ".join(f"{version:02X}" for version in sorted(versions))
        said = f"the chip names {named}; only {final.version:02X} may be left"
        raise ReadBackError("the key sets", said, RejectCode.READ_BACK_KEYS, named=named)
    domain.authenticate(HostAuthentication(final, C_ENC, final.version))
    states = [entry.state for entry in domain.status(StatusScope.ISSUER_DOMAIN)]
    if states != [CardLifeCycleState.SECURED]:
        raise ReadBackError("the life cycle", "the card is not SECURED", RejectCode.READ_BACK_OPEN)
