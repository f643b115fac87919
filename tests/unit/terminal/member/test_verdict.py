"""The counter's verdict: good cards, refused cards, cards out of time, foreign and broken ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from terminal.apdu import stack
from terminal.emv.authentication.authorities import CaKey
from terminal.errors import DeadlineExceeded
from terminal.member.hotlist import HotCard, Hotlist, HotlistReason
from terminal.member.lists import HotlistState, ListPolicy
from terminal.member.outcome import Proof, Verdict, VerdictCode
from terminal.member.signed import Issue as ListIssue
from terminal.member.trust import TrustList
from terminal.member.values import Category, Period
from terminal.member.verdict import _LISTED, verify
from tests.support.cards.member_issuer import (
    LIST_ISSUE,
    NOW,
    NUMBER,
    RID,
    TRUST,
    UNPREDICTABLE,
    Issue,
    ScriptedCard,
    hotlist,
    tlv,
)

SELECT, OPTIONS, AUTHENTICATE = "A4", "A8", "88"


def judge(card: ScriptedCard, *, at: datetime = NOW, trust: TrustList = TRUST, hot: Hotlist | None = None) -> Verdict:
    return verify(
        stack(card), trust=trust, hotlist=hotlist() if hot is None else hot, at=at, unpredictable=UNPREDICTABLE
    )


def test_an_active_card_and_all_it_says() -> None:
    card = Issue().card()
    verdict = judge(card)
    assert (verdict.code, verdict.proof, verdict.check) == (VerdictCode.ACTIVE, Proof.OFFLINE_DYNAMIC, None)
    assert verdict.accepted
    assert verdict.to_json() == {
        "verdict": "ACTIVE",
        "sentence": "The card is genuine and the membership is valid.",
        "failed_check": None,
        "proven": "offline dynamic",
        "at": "2026-11-22T10:30:00+00:00",
        "member": {
            "card_number": "915613*********1234",
            "sequence": 1,
            "name": "张伟",
            "id_number_ends": "123X",
            "mobile_ends": "8000",
            "member_number": "130000000042",
            "sex": "male",
            "unit_name": "省直机关工会",
            "unit_code": "91130000000000001X",
            "category": "in_post",
            "scheme": "130000",
            "valid_from": "2026-11-01",
            "valid_through": "2031-12-31",
            "card_expires": "2036-12-31",
            "cover_ends": "2027-11-22",
            "cover_valid": True,
        },
        "entitlements": [
            {"benefit_class": "0101", "left": 9, "limit": 12, "period": "year"},
            {"benefit_class": "0201", "left": 4, "limit": 4, "period": "month"},
        ],
        "trust_version": 3,
        "hotlist": {"version": 3, "age_seconds": 86400, "current": True, "state": "current"},
    }
    assert verdict.entitlements[0].period is Period.YEAR


def test_ten_commands_and_no_more() -> None:
    card = Issue().card()
    judge(card)
    assert [turn[:8] for turn in card.log] == [
        "00A40400",
        "80A80000",
        *("00B20114", "00B20214", "00B20314"),
        *("00B2010C", "00B2020C", "00B2030C", "00B2011C"),
        "00880000",
    ]
    assert card.log[-1] == "0088000004A1B2C3D400"


def test_fresh_unpredictable_numbers_without_one_given() -> None:
    first, second = Issue().card(), Issue().card()
    for card in (first, second):
        assert verify(stack(card), trust=TRUST, hotlist=hotlist(), at=NOW).code is VerdictCode.ACTIVE
    assert first.log[-1] != second.log[-1]


@pytest.mark.parametrize("bad", [{"unpredictable": b"abc"}, {"country": b"\x01"}, {"at": datetime(2026, 1, 1)}])
def test_arguments_out_of_form(bad: dict[str, object]) -> None:
    arguments: dict[str, object] = {"trust": TRUST, "hotlist": None, "at": NOW} | bad
    with pytest.raises(ValueError, match="unpredictable number of 4 bytes"):
        verify(stack(Issue().card()), **arguments)  # type: ignore[arg-type]


def test_without_a_hotlist_no_card_is_active() -> None:
    verdict = verify(stack(Issue().card()), trust=TRUST, hotlist=None, at=NOW)
    assert (verdict.code, verdict.hotlist_version, verdict.hotlist_age) == (VerdictCode.HOTLIST_MISSING, None, None)
    assert (verdict.check, verdict.hotlist_state) == ("hotlist in force", HotlistState.MISSING)
    assert not verdict.accepted
    assert verdict.member is not None


@pytest.mark.parametrize(
    ("issued", "expires", "code", "says"),
    [
        (-30, -1 / 24, VerdictCode.HOTLIST_OUT_OF_DATE, "(version 3) was in force until 2026-11-22 09:30 UTC; update"),
        (-8, 22, VerdictCode.HOTLIST_OUT_OF_DATE, "(version 3) is 8 days old, and 7 are allowed; update it."),
        (1, 31, VerdictCode.HOTLIST_NOT_YET_VALID, "is issued for 2026-11-23 10:30 UTC, which is to come"),
    ],
)
def test_a_hotlist_out_of_its_time_makes_no_card_active(
    issued: float, expires: float, code: VerdictCode, says: str
) -> None:
    issue = ListIssue(3, NOW + timedelta(days=issued), NOW + timedelta(days=expires))
    verdict = judge(Issue().card(), hot=Hotlist.of([], issue))
    assert (verdict.code, verdict.check, verdict.hotlist_current) == (code, "hotlist in force", False)
    assert says in verdict.sentence
    assert verdict.proof is Proof.OFFLINE_DYNAMIC
    assert verdict.member is not None


@pytest.mark.parametrize(("issued", "days"), [(-7, 7), (-29, 30), (3 / 1440, 7)])
def test_a_hotlist_within_the_policy_is_relied_on(issued: float, days: float) -> None:
    issue = ListIssue(3, NOW + timedelta(days=issued), NOW + timedelta(days=30))
    policy = ListPolicy(timedelta(days=days))
    card = stack(Issue().card())
    assert verify(card, trust=TRUST, hotlist=Hotlist.of([], issue), at=NOW, policy=policy).code is VerdictCode.ACTIVE


@pytest.mark.parametrize("issued", [-30, -8, 1])
def test_the_entries_of_such_a_hotlist_still_count_and_so_do_the_dates(issued: float) -> None:
    issue = ListIssue(3, NOW + timedelta(days=issued), NOW + timedelta(days=issued + 20))
    hot = Hotlist.of([HotCard(NUMBER, 1, HotlistReason.LOST, date(2026, 11, 20))], issue)
    assert judge(Issue().card(), hot=hot).code is VerdictCode.LOST
    assert judge(Issue().dates(DF27="261121").card(), hot=Hotlist.of([], issue)).code is VerdictCode.EXPIRED


def test_a_clock_that_was_set_back_makes_no_card_active() -> None:
    def at_counter(seen: datetime) -> Verdict:
        policy = ListPolicy(clock_seen=seen)
        return verify(stack(Issue().card()), trust=TRUST, hotlist=hotlist(), at=NOW, policy=policy)

    verdict = at_counter(NOW + timedelta(days=2))
    assert (verdict.code, verdict.check) == (VerdictCode.CLOCK_BEHIND, "clock")
    assert "was at 2026-11-24 10:30 UTC before and shows 2026-11-22 10:30 UTC now" in verdict.sentence
    assert at_counter(NOW + timedelta(hours=8)).code is VerdictCode.ACTIVE


@pytest.mark.parametrize(
    ("changes", "code", "check", "says"),
    [
        (
            {"DF27": "261121"},
            VerdictCode.EXPIRED,
            "membership valid through",
            "The membership was valid through 2026-11-21.",
        ),
        ({"5F24": "261121"}, VerdictCode.EXPIRED, "card expiry date", "The card was valid through 2026-11-21."),
        ({"5F25": "261123"}, VerdictCode.NOT_YET_VALID, "effective date", "The card is valid only from 2026-11-23."),
    ],
)
def test_cards_out_of_time(changes: dict[str, str], code: VerdictCode, check: str, says: str) -> None:
    verdict = judge(Issue().dates(**changes).card())
    assert (verdict.code, verdict.check, verdict.sentence) == (code, check, says)
    assert verdict.proof is Proof.OFFLINE_DYNAMIC
    assert verdict.member is not None


@pytest.mark.parametrize("changes", [{"DF27": "261122"}, {"5F24": "261122"}, {"5F25": "261122"}])
def test_the_last_and_the_first_day_count(changes: dict[str, str]) -> None:
    assert judge(Issue().dates(**changes).card()).code is VerdictCode.ACTIVE


def test_the_day_is_that_of_the_counter() -> None:
    shanghai = datetime(2026, 11, 23, 1, 0, tzinfo=timezone(timedelta(hours=8)))
    issue = Issue().dates(DF27="261122")
    assert judge(issue.card(), at=shanghai).code is VerdictCode.EXPIRED
    assert judge(issue.card(), at=shanghai.astimezone(UTC)).code is VerdictCode.ACTIVE


@pytest.mark.parametrize(
    ("head", "check"),
    [
        ({"issuer_head": "02 91561300 1026 000001"}, "issuer certificate: expiry"),
        ({"icc_head": "04 9156130000000001234F 1026 000002"}, "card certificate: expiry"),
    ],
)
def test_expired_certificates_are_a_matter_of_time_not_of_forgery(head: dict[str, str], check: str) -> None:
    verdict = judge(replace(Issue(), **head).card())  # type: ignore[arg-type]
    assert (verdict.code, verdict.check) == (VerdictCode.EXPIRED, check)
    assert "was valid through 2026-10-31" in verdict.sentence


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (HotlistReason.LOST, VerdictCode.LOST),
        (HotlistReason.STOLEN, VerdictCode.LOST),
        (HotlistReason.DAMAGED, VerdictCode.REPLACED),
        (HotlistReason.REPLACED, VerdictCode.REPLACED),
        (HotlistReason.REJECTED, VerdictCode.REPLACED),
        (HotlistReason.WITHDRAWN, VerdictCode.WITHDRAWN),
        (HotlistReason.SUSPENDED, VerdictCode.SUSPENDED),
    ],
)
def test_hotlisted_cards(reason: HotlistReason, code: VerdictCode) -> None:
    verdict = judge(Issue().card(), hot=hotlist(HotCard(NUMBER, 1, reason, date(2026, 11, 20))))
    assert (verdict.code, verdict.check) == (code, "hotlist")
    assert verdict.sentence == f"The card is on the hotlist since 2026-11-20: {reason}."


def test_every_reason_of_the_hotlist_has_a_verdict() -> None:
    assert set(_LISTED) == set(HotlistReason)


def test_the_replacement_of_a_lost_card_is_good() -> None:
    hot = hotlist(HotCard(NUMBER, 1, HotlistReason.LOST, date(2026, 11, 20)))
    issue = Issue()
    replacement = replace(issue, identity={**issue.identity, "5F34": "02"})
    assert judge(replacement.card(), hot=hot).code is VerdictCode.ACTIVE


def test_the_hotlist_comes_before_the_dates_and_genuineness_before_both() -> None:
    hot = hotlist(HotCard(NUMBER, 1, HotlistReason.LOST, date(2026, 11, 20)))
    expired = Issue().dates(DF27="251231")
    assert judge(expired.card(), hot=hot).code is VerdictCode.LOST
    forged = expired.card()
    forged.contents[1, 1] = forged.contents[1, 1].replace("张伟".encode("gb18030"), "李四".encode("gb18030"))
    verdict = judge(forged, hot=hot)
    assert (verdict.code, verdict.proof, verdict.member) == (VerdictCode.NOT_GENUINE, Proof.NONE, None)


def test_another_schemes_card_is_decided_by_one_command() -> None:
    other = TrustList.of([CaKey(bytes(5), 1, TRUST.keys[RID, 1].key)], LIST_ISSUE)
    card = Issue().card()
    verdict = judge(card, trust=other)
    assert (verdict.code, verdict.check) == (VerdictCode.UNKNOWN_ISSUER, "scheme CA key on the trust list")
    assert len(card.log) == 1


def test_another_federations_card_is_decided_by_its_certificates() -> None:
    card = replace(Issue(), ca_index="07").card()
    verdict = judge(card)
    assert verdict.code is VerdictCode.UNKNOWN_ISSUER
    assert "F04D454D42/07 is not in force on the trust list (version 3)" in verdict.sentence
    assert len(card.log) == 5


def test_a_ca_key_past_its_date_is_not_trusted() -> None:
    key = replace(TRUST.keys[RID, 1], expires=date(2026, 11, 21))
    assert judge(Issue().card(), trust=TrustList.of([key], LIST_ISSUE)).code is VerdictCode.UNKNOWN_ISSUER


def test_a_trust_list_not_in_force_trusts_nobody() -> None:
    card = Issue().card()
    verdict = judge(card, at=NOW + timedelta(days=31))
    assert (verdict.code, verdict.check) == (VerdictCode.UNKNOWN_ISSUER, "trust list in force")
    assert "update it" in verdict.sentence
    assert card.log == []
    early = judge(card, at=NOW - timedelta(days=2))
    assert early.code is VerdictCode.UNKNOWN_ISSUER
    assert "(it is from 2026-11-21 to 2026-12-22); check the clock" in early.sentence


@pytest.mark.parametrize("sw", ["6A82", "6A81", "6D00", "6E00", "6999"])
def test_foreign_cards_and_blank_stock(sw: str) -> None:
    card = Issue().card()
    card.answers[SELECT] = bytes.fromhex(sw)
    verdict = judge(card)
    assert verdict.code is VerdictCode.NOT_A_MEMBER_CARD
    assert "another card, or a blank one" in verdict.sentence
    assert len(card.log) == 1


@pytest.mark.parametrize("sw", ["6A82", "6A81", "6D00", "6E00", "6999", "6283"])
def test_a_member_card_whose_answer_is_lost_is_no_foreign_card(sw: str) -> None:
    """SELECT was executed (61xx); the status of GET RESPONSE does not say that there is no such application."""
    card = Issue().card()
    card.answers[SELECT] = bytes.fromhex("6110")
    card.answers["C0"] = bytes.fromhex(sw)
    verdict = judge(card)
    assert verdict.code is VerdictCode.CARD_FAULT
    assert "executed the command" in verdict.sentence


@pytest.mark.parametrize("instruction", [SELECT, OPTIONS])
def test_an_instance_without_a_member(instruction: str) -> None:
    card = Issue().card()
    card.answers[instruction] = bytes.fromhex("6985")
    verdict = judge(card)
    assert verdict.code is VerdictCode.NOT_A_MEMBER_CARD
    assert verdict.sentence == "The chip of this card has not been personalized."


@pytest.mark.parametrize("with_fci", [True, False])
def test_a_blocked_application_is_suspended(with_fci: bool) -> None:
    card = Issue().card()
    fci = card._answer(bytes.fromhex("00A40400"))[:-2] if with_fci else b""
    card.answers[SELECT] = fci + bytes.fromhex("6283")
    verdict = judge(card)
    assert (verdict.code, verdict.check) == (VerdictCode.SUSPENDED, "application blocked")


def test_a_blocked_card_says_whose_it_is_where_it_is_genuine() -> None:
    card = Issue().card()
    card.answers[SELECT] = card._answer(bytes.fromhex("00A40400"))[:-2] + bytes.fromhex("6283")
    verdict = judge(card)
    assert (verdict.code, verdict.proof) == (VerdictCode.SUSPENDED, Proof.OFFLINE_DYNAMIC)
    assert verdict.member is not None
    assert verdict.member.card_number == NUMBER


@pytest.mark.parametrize(
    "answers",
    [
        {OPTIONS: "6985"},
        {AUTHENTICATE: "6985"},
        {"00B20114": "6A83"},
        {"00B20114": "7000" + "9000"},
        {"00B2010C": tlv("70", tlv("5A", bytes.fromhex("91561300"))).hex() + "9000"},
    ],
)
def test_a_blocked_card_that_cannot_be_read_or_proven_is_suspended_without_a_member(answers: dict[str, str]) -> None:
    card = Issue().card()
    card.answers[SELECT] = card._answer(bytes.fromhex("00A40400"))[:-2] + bytes.fromhex("6283")
    card.answers |= {header: bytes.fromhex(answer) for header, answer in answers.items()}
    verdict = judge(card)
    assert (verdict.code, verdict.proof, verdict.member) == (VerdictCode.SUSPENDED, Proof.NONE, None)
    assert verdict.card is None


def test_a_blocked_card_of_an_unknown_federation_is_not_read() -> None:
    card = Issue().card()
    card.answers[SELECT] = card._answer(bytes.fromhex("00A40400"))[:-2] + bytes.fromhex("6283")
    verdict = judge(card, trust=TrustList.of([], LIST_ISSUE))
    assert (verdict.code, len(card.log)) == (VerdictCode.SUSPENDED, 1)


@pytest.mark.parametrize("at", range(10))
def test_a_card_pulled_at_any_command(at: int) -> None:
    card = Issue().card()
    card.vanish_at = at
    verdict = judge(card)
    assert verdict.code is VerdictCode.CARD_FAULT
    assert verdict.sentence == "The card could not be read to the end: the card was pulled."
    assert verdict.member is None


def test_a_mute_card() -> None:
    class Mute(ScriptedCard):
        def exchange(self, apdu: bytes) -> bytes:
            raise DeadlineExceeded("no answer within 2 s")

    assert judge(Mute(Issue())).code is VerdictCode.CARD_FAULT


@pytest.mark.parametrize(
    ("where", "answer", "says"),
    [
        (SELECT, "6F028400 9000", "does not name it"),
        (SELECT, "6F05 9000", "truncated"),
        (SELECT, "6F00 9000", "does not name it"),
        (SELECT, "6F81", "6F81"),
        (SELECT, "90", "no status word"),
        (SELECT, "", "no status word"),
        (SELECT, "6F14 8409 F04D454D4245520101 A507 9F3804 9F1A029F 9000", "PDOL"),
        (OPTIONS, "77028200 9000", "no AIP or no AFL"),
        (OPTIONS, "800121 9000", "no AIP or no AFL"),
        (OPTIONS, "8002 2100 9000", "an AFL of 0 bytes"),
        (OPTIONS, "8006 2100 00010100 9000", "no SFI"),
        (OPTIONS, "800A 2100 0801FE00 1001FE00 9000", "lists 508 records"),
        (OPTIONS, "6A86", "6A86"),
        ("00B2010C", "6A83", "reading SFI 1, record 1: card answered 6A83"),
        ("00B2010C", "5A00 9000", "not one 70 template"),
        ("00B2011C", "7003 DF2801 9000", "truncated"),
        ("00B2010C", "7000 9000", "no member card number (5A)"),
        ("00B20114", "7003 8F0101 9000", "8F occurs twice"),
        (AUTHENTICATE, "77039F4B05 9000", "truncated"),
        (AUTHENTICATE, "7700 9000", "no signature (9F4B)"),
        (AUTHENTICATE, "6F00", "6F00"),
        (AUTHENTICATE, "6581", "6581"),
    ],
)
def test_malformed_answers_are_faults_with_a_sentence(where: str, answer: str, says: str) -> None:
    card = Issue().card()
    card.answers[where] = bytes.fromhex(answer.replace(" ", ""))
    verdict = judge(card)
    assert verdict.code is VerdictCode.CARD_FAULT
    assert says in verdict.sentence
    assert verdict.sentence.startswith("The card does not answer as it should: ")


def test_a_value_out_of_form_is_a_fault_only_on_a_genuine_card() -> None:
    verdict = judge(Issue().dates(DF27="261131").card())
    assert verdict.code is VerdictCode.CARD_FAULT
    assert "DF27 (membership valid through): no day of the calendar" in verdict.sentence
    card = Issue().card()
    card.tamper = lambda command, answer: answer.replace(bytes.fromhex("DF2703311231"), bytes.fromhex("DF2703311131"))
    assert judge(card).code is VerdictCode.NOT_GENUINE


@pytest.mark.parametrize(("record", "tag"), [((1, 1), "DF24"), ((1, 1), "5F34"), ((1, 2), "DF27"), ((1, 1), "DF2B")])
def test_a_genuine_card_that_lacks_what_every_card_has(record: tuple[int, int], tag: str) -> None:
    issue = Issue()
    part = "identity" if record == (1, 1) else "validity"
    without = {t: v for t, v in getattr(issue, part).items() if t != tag}
    verdict = judge(replace(issue, **{part: without}).card())  # type: ignore[arg-type]
    assert verdict.code is VerdictCode.CARD_FAULT
    assert f"({tag})" in verdict.sentence


def test_a_contactless_view_asks_for_the_contact_reader() -> None:
    verdict = judge(replace(Issue(), afl="08020200").card())
    assert verdict.code is VerdictCode.CARD_FAULT
    assert "contact reader" in verdict.sentence


def test_format_1_answers_are_read_too() -> None:
    card = Issue().card()
    options = bytes.fromhex(card.issue.aip) + bytes.fromhex(card.issue.afl)
    card.answers[OPTIONS] = tlv("80", options) + b"\x90\x00"
    card.answers[AUTHENTICATE] = tlv("80", card.sign(UNPREDICTABLE)) + b"\x90\x00"
    assert judge(card).code is VerdictCode.ACTIVE


def test_nothing_personal_in_the_repr_or_the_sentence() -> None:
    verdict = judge(Issue().card())
    for text in (repr(verdict), str(verdict), verdict.sentence, repr(verdict.member)):
        assert "张伟" not in text
        assert NUMBER not in text
        assert "123X" not in text


def needing_activation(activated_on: str) -> Issue:
    return replace(Issue(), validity={**Issue().validity, "DF2D": activated_on})


def test_a_card_that_was_not_activated_is_genuine_and_refused() -> None:
    verdict = judge(needing_activation("000000").card())
    assert (verdict.code, verdict.check, verdict.proof) == (
        VerdictCode.NOT_ACTIVATED,
        "activated on",
        Proof.OFFLINE_DYNAMIC,
    )
    assert verdict.sentence.endswith("but the member has not activated the card.")
    assert not verdict.accepted
    assert verdict.member is not None
    assert verdict.card is not None, "a window activates it in the same insertion"


def test_an_activated_card_is_active() -> None:
    verdict = judge(needing_activation("261101").card())
    assert verdict.code is VerdictCode.ACTIVE
    assert verdict.member is not None
    assert verdict.member.activated


def test_hotlist_and_dates_come_before_the_activation_and_a_missing_hotlist_after_it() -> None:
    card = needing_activation("000000")
    lost = hotlist(HotCard(NUMBER, 1, HotlistReason.LOST, date(2026, 11, 20)))
    assert judge(card.card(), hot=lost).code is VerdictCode.LOST
    assert judge(card.dates(DF27="261121").card()).code is VerdictCode.EXPIRED
    assert verify(stack(card.card()), trust=TRUST, hotlist=None, at=NOW).code is VerdictCode.NOT_ACTIVATED


def test_nobody_between_card_and_counter_can_activate_a_card() -> None:
    card = needing_activation("000000").card()
    card.tamper = lambda command, answer: answer.replace(tlv("DF2D", bytes(3)), tlv("DF2D", b"\x26\x11\x01"))
    assert judge(card).code is VerdictCode.NOT_GENUINE


def test_a_card_of_before_with_its_category_in_the_signed_record_reads_as_a_new_one() -> None:
    new = replace(Issue(), identity={t: v for t, v in Issue().identity.items() if t != "DF26"})
    new = replace(new, validity={**new.validity, "DF26": "03"})
    old = replace(Issue(), identity={**Issue().identity, "DF26": "03"})
    facts = [judge(card.card()).member for card in (old, new)]
    assert facts[0] == facts[1]
    assert facts[0] is not None
    assert facts[0].category is Category.MODEL_WORKER
