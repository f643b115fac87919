"""What is on a card: both applications in words, masked; what is no member card, and what breaks off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from personalize.line.lanes import PersonalizationLine
from personalize.profiles.profile import Profile
from reader_service.errors import Forbidden, LeaseLost, ReaderOut
from reader_service.readers.manager import ReaderManager
from reader_service.services.counter.reading import CardApplicationKind, ReadingService
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from terminal.apdu import Command, Disposition, Response, Sender, StatusWord, open_reader, stack
from terminal.emv.kernel.reading import read_applications
from terminal.emv.transaction.config import shipped_config
from terminal.member.elements import MEMBER_AID
from tests.support import bank, issuer
from tests.support.service.reader_rig import AUDITOR, COUNTER, NOON, OPERATOR, ReaderRig, reader_rig

SLOT = "sim:slot/Desk"
ATC = "9F36"


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card with both applications, and the member's numbers in it."""
    return issued_card(tmp_path_factory.mktemp("issued"), bank.profile())


def issued_card(home: Path, profile: Profile) -> Path:
    home.mkdir(exist_ok=True)
    rig = reader_rig(home)
    batch = issuer.prepared(rig.registry, 1, home, profile=profile)
    list(make_stock(home / "stock", 1, CardConfig(blank())))
    results = PersonalizationLine(issuer.job(rig.registry, batch, profile), remake=lambda: None).run(
        [open_reader(f"sim:{home / 'stock'}")]
    )
    assert not results[0].fault, results[0].message
    rig.registry.close()
    return next((home / "stock" / "issued").iterdir())


@contextmanager
def reading(rig: ReaderRig) -> Iterator[tuple[ReaderManager, ReadingService]]:
    with rig.manager() as manager:
        yield manager, ReadingService(rig.parts, manager)


def test_a_member_application_under_an_aid_of_the_profile_is_read(tmp_path: Path) -> None:
    own, plain = "F04D454D4245520177", bank.profile()
    profile = plain.model_copy(update={"member": plain.member.model_copy(update={"aid": own})})
    card = issued_card(tmp_path / "home", profile)
    for aid, elements in ((bytes.fromhex(own), True), (MEMBER_AID, False)):
        place = tmp_path / f"{elements}"
        place.mkdir()
        with reading(reader_rig(place, f"{SLOT}?card={card}", member_aid=aid)) as (manager, service):
            (reader,) = [view.id for view in manager.views()]
            result = service.read(OPERATOR, reader, lease=manager.leases.take(OPERATOR, reader, 60).token)
        members = [one for one in result.applications if one.kind is CardApplicationKind.MEMBER]
        assert [(one.aid, bool(one.elements)) for one in members] == ([(own, True)] if elements else [])


def test_both_applications_are_described_in_words_without_personal_data(tmp_path: Path, card: Path) -> None:
    with reading(reader_rig(tmp_path, f"{SLOT}?card={card}")) as (manager, service):
        (reader,) = [view.id for view in manager.views()]
        lease = manager.leases.take(OPERATOR, reader, 60).token
        result = service.read(OPERATOR, reader, lease=lease)
        again = service.read(OPERATOR, reader, lease=lease)
    member, payment = result.applications
    assert (member.kind, payment.kind) == (CardApplicationKind.MEMBER, CardApplicationKind.PAYMENT)
    assert (member.fault, payment.fault) == ("", "")
    assert payment.aid == "A000000333010101"
    assert payment.label == "UNIONPAY DEBIT"
    assert {"5F24", "82", "94", "8C", "8E", ATC, "9F17"} <= {str(one.tag) for one in payment.elements}
    text = json.dumps(result.to_json(), ensure_ascii=False)
    person = issuer.rows(1)[0]
    assert "测试工会" in text
    assert person.person.id_number not in text
    assert person.person.mobile not in text
    assert person.person.name not in text
    (pan,) = [one for one in payment.elements if str(one.tag) == "5A"]
    assert pan.text.startswith("621097")
    assert "******" in pan.text
    assert counted(again.applications[1].elements) == counted(payment.elements) + 1


def counted(elements: object) -> int:
    (atc,) = [one for one in elements if str(one.tag) == ATC]  # type: ignore[attr-defined]
    return int(atc.text)


def test_a_blank_chip_has_no_application(tmp_path: Path) -> None:
    (chip,) = make_stock(tmp_path / "stock", 1, CardConfig(blank()))
    with reading(reader_rig(tmp_path, f"{SLOT}?card={chip}")) as (manager, service):
        (reader,) = [view.id for view in manager.views()]
        result = service.read(OPERATOR, reader, lease=manager.leases.take(OPERATOR, reader, 60).token)
    assert result.applications == ()
    assert result.atr


def test_who_may_and_where(tmp_path: Path) -> None:
    with reading(reader_rig(tmp_path, SLOT)) as (manager, service):
        (reader,) = [view.id for view in manager.views()]
        with pytest.raises(Forbidden):
            service.read(AUDITOR, reader)
        with pytest.raises(LeaseLost, match="take a lease"):
            service.read(COUNTER, reader)
        lease = manager.leases.take(COUNTER, reader, 60).token
        with pytest.raises(ReaderOut) as out:
            service.read(COUNTER, reader, lease=lease)
        assert out.value.params["code"] == "no-card"


class Refusing:
    """A sender to a card that breaks off at one instruction, once its application was started."""

    def __init__(self, inner: Sender, ins: int) -> None:
        self._inner, self._ins, self._started = inner, ins, False

    def send(self, command: Command) -> Response:
        if self._started and command.ins == self._ins:
            return Response(b"", StatusWord(0x6F00))
        self._started = self._started or command.ins == 0xA8
        return self._inner.send(command)


@pytest.mark.parametrize(("ins", "fault"), [(0xB2, "6F00"), (0xCA, "")])
def test_a_payment_application_that_breaks_off_says_why(card: Path, ins: int, fault: str) -> None:
    reader = open_reader(f"sim:{card}")
    try:
        (application,) = read_applications(Refusing(stack(reader.connect()), ins), shipped_config(), NOON)
    finally:
        reader.release(Disposition.KEEP)
        reader.close()
    assert fault in application.fault
    assert bool(application.fault) == bool(fault)
    assert application.label == "UNIONPAY DEBIT"
    assert 0x82 in application.data
    assert (0x5A in application.data, 0x9F36 in application.data) == ((ins != 0xB2), (ins != 0xCA))
    assert "621097" not in repr(application)
