"""The counter's half against the card's half: the member applet with certificates of a test federation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulators.applets.member.applet import MemberApplet
from simulators.card.applet import Refuse
from terminal.apdu import Command, Response, StatusWord
from terminal.member.elements import MEMBER_AID
from terminal.member.outcome import Proof, Verdict, VerdictCode
from terminal.member.verdict import verify
from tests.support.cards import member_specimen as layout
from tests.support.cards import rsa_signer as make
from tests.support.cards.applet_host import BareHost, send, store
from tests.support.cards.member_issuer import ISSUER, NOW, NUMBER, TRUST, Issue, hotlist, objects, tlv
from tests.support.cards.member_specimen import specimen


class OnApplet:
    """A sender over one applet, with SELECT as the card operating system does it."""

    def __init__(self, applet: MemberApplet) -> None:
        self.applet = applet
        self.sent = 0

    def send(self, command: Command) -> Response:
        self.sent += 1
        if command.ins != 0xA4:
            return send(self.applet, command)
        try:
            return Response(self.applet.select(command.p2), StatusWord(0x9000))
        except Refuse as refusal:
            return Response(b"", refusal.sw)


@pytest.fixture(scope="module")
def groups() -> dict[int, bytes]:
    """The specimen's groupings with the records and certificates of a test federation."""
    card = specimen()
    key = make.Key(card.public.n, 0, card.public.e)
    issue = Issue(aip="3100")
    icc = make.certificate(ISSUER, key, f"04{NUMBER}F1230000002", static=issue.static)
    records = issue.records()
    records[2, 2] = objects({"9F46": icc.certificate, "9F47": icc.exponent, "9F48": icc.remainder})
    return {**card.groups, **{sfi << 8 | number: tlv("70", content) for (sfi, number), content in records.items()}}


def issued(groups: dict[int, bytes], *, contactless: bool = False) -> OnApplet:
    applet = MemberApplet(BareHost(contactless=contactless), MEMBER_AID, b"")
    store(applet, groups.items())
    return OnApplet(applet)


def judge(sender: OnApplet) -> Verdict:
    return verify(sender, trust=TRUST, hotlist=hotlist(), at=NOW)


def test_a_card_from_the_line_is_active(groups: dict[int, bytes]) -> None:
    sender = issued(groups)
    for _ in range(3):
        verdict = judge(sender)
        assert (verdict.code, verdict.proof) == (VerdictCode.ACTIVE, Proof.OFFLINE_DYNAMIC), verdict.sentence
    assert sender.sent == 30
    assert verdict.member is not None
    assert (verdict.member.name, verdict.member.card_number) == ("张伟", NUMBER)


def test_a_validity_that_only_the_chip_knows_is_proven(groups: dict[int, bytes]) -> None:
    extended = issued({**groups, 0x0102: tlv("70", objects({"DF27": "261231", "DF29": "261130"}))})
    verdict = judge(extended)
    assert verdict.code is VerdictCode.ACTIVE
    assert verdict.member is not None
    assert verdict.member.valid_through.isoformat() == "2026-12-31"


def test_a_chip_with_another_identity_record(groups: dict[int, bytes]) -> None:
    identity = replace(Issue(), identity={**Issue().identity, "DF26": "03"})
    verdict = judge(issued({**groups, 0x0101: tlv("70", objects(identity.identity))}))
    assert (verdict.code, verdict.check) == (VerdictCode.NOT_GENUINE, "card certificate: hash")


def test_an_instance_before_personalization() -> None:
    assert judge(OnApplet(MemberApplet(BareHost(), MEMBER_AID, b""))).code is VerdictCode.NOT_A_MEMBER_CARD


def test_the_contactless_view(groups: dict[int, bytes]) -> None:
    verdict = judge(issued(groups, contactless=True))
    assert verdict.code is VerdictCode.CARD_FAULT
    assert "contact reader" in verdict.sentence


def test_the_specimen_of_another_federation() -> None:
    applet = MemberApplet(BareHost(), MEMBER_AID, b"")
    groups = specimen().groups | {0x0203: tlv("70", objects({"8F": "09", "9F32": "03", "9F4A": "82"}))}
    store(applet, groups.items())
    assert layout.MEMBER_AID == MEMBER_AID
    assert judge(OnApplet(applet)).code is VerdictCode.UNKNOWN_ISSUER
