"""Forged, copied and tampered cards: each way fails at its own named check, and none is ACTIVE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal.apdu import stack
from terminal.member.outcome import Proof, Verdict, VerdictCode
from terminal.member.verdict import verify
from tests.support.cards import rsa_signer as make
from tests.support.cards.member_issuer import CARD, NOW, TRUST, UNPREDICTABLE, Issue, ScriptedCard, hotlist
from tests.support.thorough import repeats


def judge(card: ScriptedCard) -> Verdict:
    return verify(stack(card), trust=TRUST, hotlist=hotlist(), at=NOW, unpredictable=UNPREDICTABLE)


def refused(card: ScriptedCard) -> str | None:
    verdict = judge(card)
    assert (verdict.code, verdict.proof, verdict.member) == (VerdictCode.NOT_GENUINE, Proof.NONE, None)
    assert verdict.sentence.startswith("The card is not genuine: ")
    return verdict.check


def without(card: ScriptedCard, place: tuple[int, int], tag: str) -> ScriptedCard:
    """The card with one object cut out of a record."""
    content, at = card.contents[place], 0
    while at < len(content):
        width = 2 if content[at] & 0x1F == 0x1F else 1
        head = at + width + (2 if content[at + width] == 0x81 else 1)
        stop = head + content[head - 1]
        if content[at : at + width].hex().upper() == tag:
            card.contents[place] = content[:at] + content[stop:]
            return card
        at = stop
    raise AssertionError(f"no {tag} in record {place}")


def test_a_certificate_by_another_ca() -> None:
    check = refused(replace(Issue(), ca=make.key("forger", 1152)).card())
    assert check in ("issuer certificate: trailer BC", "issuer certificate: recovery", "issuer certificate: header 6A")


def test_an_altered_name() -> None:
    card = Issue().card()
    card.contents[1, 1] = card.contents[1, 1].replace("张伟".encode("gb18030"), "李四".encode("gb18030"))
    assert refused(card) == "card certificate: hash"


def test_validity_altered_in_transit() -> None:
    card = Issue().dates(DF27="251231").card()
    later = bytes.fromhex("DF2703991231")
    card.tamper = lambda command, answer: answer.replace(bytes.fromhex("DF2703251231"), later)
    assert refused(card) == "dynamic data hash"


def test_entitlements_altered_in_transit() -> None:
    card = Issue().card()
    card.tamper = lambda command, answer: answer.replace(bytes.fromhex("01010C03"), bytes.fromhex("01010C00"))
    assert refused(card) == "dynamic data hash"


def test_a_date_slipped_into_the_certificate_file_counts_for_nothing() -> None:
    issue = Issue()
    card = replace(issue, validity={"DF29": "271122"}).card()
    card.contents[2, 3] += bytes.fromhex("DF2703491231")
    verdict = judge(card)
    assert verdict.code is VerdictCode.CARD_FAULT
    assert "no membership valid through (DF27)" in verdict.sentence


def test_records_left_out_of_the_afl() -> None:
    card = Issue().card()
    full = bytes.fromhex(card.issue.afl.replace(" ", ""))
    short = bytes.fromhex("08010101080202000803030110010300")
    card.tamper = lambda command, answer: (
        answer.replace(b"\x94\x14" + full, b"\x94\x10" + short).replace(b"\x77\x1a", b"\x77\x16")
        if command[1] == 0xA8
        else answer
    )
    assert refused(card) == "dynamic data hash"


def test_a_signed_record_passed_off_as_unsigned() -> None:
    card = Issue().card()
    card.tamper = lambda command, answer: answer.replace(bytes.fromhex("08010101"), bytes.fromhex("08010100"))
    assert refused(card) == "card certificate: hash"


def test_a_profile_altered_in_transit() -> None:
    card = Issue().card()
    card.tamper = lambda command, answer: answer.replace(bytes.fromhex("82022100"), bytes.fromhex("82023100"))
    assert refused(card) == "card certificate: hash"


def test_a_certificate_of_another_card_number() -> None:
    assert refused(replace(Issue(), icc_head="04 9156130000000001226F 1230 000002").card()) == (
        "card certificate: card number"
    )


def test_an_issuer_of_other_card_numbers() -> None:
    assert refused(replace(Issue(), issuer_head="02 91561400 1230 000001").card()) == (
        "issuer certificate: issuer identifier against the card number"
    )


def test_a_replayed_signature() -> None:
    card = Issue().card()
    recorded = card.sign(b"\x00\x00\x00\x01")
    card.dynamic = lambda terminal: recorded
    assert refused(card) == "dynamic signature: hash"


def test_a_clone_without_the_key() -> None:
    card = Issue().card()
    other = make.key("clone", 1024)
    card.dynamic = lambda terminal: make.dynamic_signature(other, b"\x02\x00\x01", terminal)
    check = refused(card)
    assert check in ("dynamic signature: trailer BC", "dynamic signature: recovery", "dynamic signature: header 6A")


@pytest.mark.parametrize("sw", ["6D00", "6985", "6A81", "6982"])
def test_a_clone_that_cannot_sign(sw: str) -> None:
    card = Issue().card()
    card.answers["88"] = bytes.fromhex(sw)
    assert refused(card) == "dynamic signature: data missing"


@pytest.mark.parametrize("rest", [b"", bytes(32), b"\x00"])
def test_a_wrong_or_absent_hash_over_the_changing_records(rest: bytes) -> None:
    card = Issue().card()
    card.dynamic = lambda terminal: make.dynamic_signature(CARD, b"\x08" + bytes(8) + rest, terminal)
    assert refused(card) == "dynamic data hash"


@pytest.mark.parametrize(
    ("place", "tag", "check"),
    [
        ((2, 1), "90", "issuer certificate: data missing"),
        ((2, 3), "9F32", "issuer certificate: data missing"),
        ((2, 3), "8F", "issuer certificate: data missing"),
        ((2, 2), "9F46", "card certificate: data missing"),
        ((2, 2), "9F47", "card certificate: data missing"),
        ((2, 2), "9F48", "card certificate: data missing"),
        ((2, 3), "92", "issuer certificate: data missing"),
        ((2, 3), "9F4A", "card certificate: hash"),
    ],
)
def test_certificate_data_missing(place: tuple[int, int], tag: str, check: str) -> None:
    assert refused(without(Issue().card(), place, tag)) == check


def test_a_tag_list_that_names_more_than_the_profile() -> None:
    assert refused(replace(Issue(), tag_list="825A").card()) == "card certificate: data missing"


def test_a_dynamic_list_without_the_unpredictable_number() -> None:
    issue = Issue()
    assert refused(replace(issue, lists={**issue.lists, "9F49": "9F1A02"}).card()) == "dynamic signature: data missing"


def test_a_dynamic_list_with_more_is_filled() -> None:
    issue = Issue()
    card = replace(issue, lists={**issue.lists, "9F49": "9F37049F1A03"}).card()
    assert judge(card).code is VerdictCode.ACTIVE
    assert card.log[-1] == "0088000007A1B2C3D400015600"


def test_without_a_dynamic_list_the_default_is_used() -> None:
    issue = Issue()
    assert judge(replace(issue, lists={"8E": issue.lists["8E"]}).card()).code is VerdictCode.ACTIVE


SSAD_FILES = "08010101 08030301 10010400"


def static_only(**changes: str) -> Issue:
    """A card that claims no more than a static signature, and has no record that changes."""
    issue = Issue()
    signed = {**issue.identity, **issue.validity}
    return replace(issue, **{"identity": signed, "aip": "4000", "afl": SSAD_FILES, "static_signature": True, **changes})  # type: ignore[arg-type]


def test_a_static_signature_is_enough_only_where_nothing_more_is_claimed() -> None:
    verdict = judge(static_only().card())
    assert (verdict.code, verdict.proof) == (VerdictCode.ACTIVE, Proof.OFFLINE_STATIC)


def test_a_copy_of_a_dynamic_card_cannot_claim_less() -> None:
    card = static_only(aip="6000").card()
    card.tamper = lambda command, answer: answer.replace(bytes.fromhex("82026000"), bytes.fromhex("82024000"))
    assert refused(card) == "static signature: hash"


def test_a_static_copy_of_a_dynamic_card_is_refused() -> None:
    card = static_only(aip="6000").card()
    card.answers["88"] = b"\x6d\x00"
    assert refused(card) == "dynamic signature: data missing"


def test_a_profile_outside_the_signature_proves_nothing() -> None:
    card = replace(static_only(), tag_list=None).card()
    assert refused(card) == "static signature: data missing"


def test_a_static_card_with_changing_records_is_not_proven() -> None:
    issue = replace(Issue(), aip="4000", afl="08010101 08020200 08030301 10010400", static_signature=True)
    assert refused(issue.card()) == "dynamic data hash"


def test_a_card_that_claims_nothing_is_not_genuine() -> None:
    assert refused(replace(Issue(), aip="0000").card()) == "static signature: data missing"


@settings(max_examples=repeats(50, 1500), deadline=None)
@given(turn=st.integers(0, 9), data=st.data())
def test_one_changed_byte_anywhere_is_never_active_nor_a_traceback(turn: int, data: st.DataObject) -> None:
    """Every answer but SELECT's is covered by a signature or by the form of the data, and all of it means something but
    the three reserved bits of each entry of the file locator (EMV 4.4 Book 3, 10.2)."""
    card = Issue().card()
    changed: list[bool] = []

    def tamper(command: bytes, answer: bytes) -> bytes:
        if len(card.log) - 1 != turn:
            return answer
        at = data.draw(st.integers(0, len(answer) - 1))
        bit = 1 << data.draw(st.integers(0, 7))
        reserved = turn == 1 and at in range(answer.index(b"\x94") + 2, len(answer) - 2, 4) and bit < 8
        changed.append(not reserved)
        return answer[:at] + bytes((answer[at] ^ bit,)) + answer[at + 1 :]

    card.tamper = tamper
    verdict = judge(card)
    assert (verdict.code is not VerdictCode.ACTIVE) is changed[0] or turn == 0


@settings(max_examples=repeats(60, 2000), deadline=None)
@given(answers=st.lists(st.binary(max_size=60), min_size=10, max_size=10))
def test_random_answers_end_in_a_verdict(answers: list[bytes]) -> None:
    card = Issue().card()
    mend: Callable[[bytes, bytes], bytes] = lambda command, answer: answers[min(len(card.log), 10) - 1] + b"\x90\x00"  # noqa: E731
    card.tamper = mend
    assert judge(card).code is VerdictCode.CARD_FAULT
