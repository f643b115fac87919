"""Scripts for counters elsewhere: only for a card that is there, only its own proof counts, and nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from reader_service.access.authenticator import key_of, new_token
from reader_service.services.counter.distant import VALID, WRONG_PROOFS
from registry.members.updates import CardUpdates
from registry.members.wanted import UpdateKind, WantedChange
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import Sender, stack
from terminal.member.presence import CardPresence, present, state_now
from terminal.member.proven import ProvenCard
from terminal.member.redemption.evidence import RedemptionEvidence
from terminal.member.redemption.redeem import redeem
from terminal.member.redemption.request import RedemptionRequest
from terminal.member.scripts import CardScript, update
from terminal.member.verdict import verify
from tests.support.registry.redeemed import close_outlet
from tests.support.service.accounts import Client, problem
from tests.support.service.distant_rig import COVER, VALIDITY, DistantRig, distant_rig
from tests.support.service.merchant_rig import issued_cards
from tests.support.service.reader_rig import NOON

V1 = "/api/v1/card-changes"
SHEET: dict[UpdateKind, object] = {UpdateKind.VALIDITY: VALIDITY, UpdateKind.COVER: COVER}


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    return issued_cards(tmp_path_factory.mktemp("issued"))


@pytest.fixture
def rig(tmp_path: Path, issued: tuple[str, list[Path]]) -> Iterator[DistantRig]:
    with distant_rig(tmp_path, issued) as running:
        yield running


class Merchant:
    """Somebody with the token of an outlet, a card before them, and a program of their own."""

    def __init__(self, rig: DistantRig, outlet: int = 0) -> None:
        self.rig, self.client = rig, rig.counters[outlet].line._client
        self.keys = 0

    def post(self, path: str, **more: Any) -> httpx.Response:
        self.keys += 1
        body = {"card_number": self.rig.number, "sequence": 1, **more}
        return self.client.post(f"{V1}/{path}", json=body, headers={"Idempotency-Key": f"{id(self)}-{self.keys}"})

    def number(self, **more: Any) -> tuple[bytes, str]:
        answer = self.post("challenge", **more).json()
        return bytes.fromhex(answer["challenge"]), answer["ticket"]

    def prove(self, ticket: str, presence: bytes) -> httpx.Response:
        return self.post("script", ticket=ticket, presence=presence.hex())


class Inserted:
    """The card in a reader, verified again for each proof."""

    def __init__(self, rig: DistantRig) -> None:
        self._rig, self._chip = rig, VirtualCard.open(rig.east.path)
        self.sender: Sender = stack(SimCard(self._chip, self._chip.config.protocol))

    def card(self) -> ProvenCard:
        lists = self._rig.station.parts.lists()
        verdict = verify(self.sender, trust=lists.trust, hotlist=lists.hotlist, at=NOON)
        assert verdict.card is not None
        return verdict.card

    def proof(self, challenge: bytes) -> CardPresence:
        return present(self.sender, self.card(), challenge)

    def redeem(self) -> None:
        request = RedemptionRequest("0101", 1, 2_000, NOON.date(), NOON.time(), "PARK-EAST", "T0000001")
        assert redeem(self.sender, self.card(), request).done

    def out(self) -> None:
        self._chip.power_off()


@pytest.fixture
def chip(rig: DistantRig) -> Iterator[Inserted]:
    inserted = Inserted(rig)
    yield inserted
    inserted.out()


def refused(answer: httpx.Response, rig: DistantRig) -> bool:
    """Refused as not proven, and audited with the outlet; no script was written."""
    details = problem(answer)
    assert (details["status"], details["params"]["reason"]) == (409, "card-not-proven")
    last = rig.audited()[0]
    return bool(last.action == "card.proof-refused" and last.subject.startswith("outlet:"))


def test_a_proof_counts_once_and_at_the_outlet_that_got_its_number(rig: DistantRig, chip: Inserted) -> None:
    rig.want(SHEET)
    east, west = Merchant(rig), Merchant(rig, 1)
    challenge, ticket = east.number()
    presence = chip.proof(challenge).encode()
    assert refused(west.prove(ticket, presence), rig)
    answer = east.prove(ticket, presence).json()
    assert (answer["done"], answer["unfinished"]) == ([], False)
    assert refused(east.prove(ticket, presence), rig), "a script was written for it"
    assert [state for _, state in rig.states()] == ["sent", "sent"]


def test_a_proof_is_worth_nothing_after_a_minute_or_before_its_time(rig: DistantRig, chip: Inserted) -> None:
    rig.want(SHEET)
    east = Merchant(rig)
    challenge, ticket = east.number()
    presence = chip.proof(challenge).encode()
    for seconds in (VALID + 1, -10):
        rig.clock.now = NOON + timedelta(seconds=seconds)
        assert refused(east.prove(ticket, presence), rig)
    rig.clock.now = NOON + timedelta(seconds=VALID)
    assert east.prove(ticket, presence).json()["script"]


def test_a_number_that_a_merchant_chose_or_a_changed_proof_gets_nothing(rig: DistantRig, chip: Inserted) -> None:
    rig.want(SHEET)
    east = Merchant(rig)
    challenge, ticket = east.number()
    assert refused(east.prove(ticket, chip.proof(b"\x00\x00\x00\x01").encode()), rig)
    good = chip.proof(challenge).encode()
    counted = {422: 0, 409: 0}
    for at in range(0, len(good), 37):
        wrong = good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :]
        answer = east.prove(ticket, wrong)
        if answer.status_code == 429:
            rig.registry.login_failures.clear(f"outlet {rig.outlets[0]} proof")
            continue
        counted[answer.status_code] += 1
    assert counted[409] > 10
    assert rig.states() == [("validity", "pending"), ("cover", "pending")]


def test_another_card_proves_nothing_for_this_one(
    rig: DistantRig, chip: Inserted, issued: tuple[str, list[Path]]
) -> None:
    rig.want(SHEET)
    east = Merchant(rig)
    challenge, ticket = east.number()
    rig.east.path.with_name("other.card").write_bytes(issued[1][1].read_bytes())
    rig.east.path = rig.east.path.with_name("other.card")
    other = Inserted(rig)
    presence, own = other.proof(challenge), chip.proof(challenge)
    other.out()
    assert refused(east.prove(ticket, presence.encode()), rig)
    mixed = CardPresence(own.afl, own.records, own.signature, presence.evidence)
    assert refused(east.prove(ticket, mixed.encode()), rig)
    mixed = CardPresence(presence.afl, presence.records, presence.signature, own.evidence)
    assert refused(east.prove(ticket, mixed.encode()), rig)


def test_records_of_before_a_redemption_are_not_those_of_the_card(rig: DistantRig, chip: Inserted) -> None:
    """A merchant who keeps DF28 with nothing used cannot have it written back."""
    rig.want(SHEET)
    east = Merchant(rig)
    stale = chip.card()
    chip.redeem()
    challenge, ticket = east.number()
    chip.card()
    presence = present(chip.sender, stale, challenge).encode()
    assert refused(east.prove(ticket, presence), rig)


def ran(rig: DistantRig, merchant: Merchant, chip: Inserted) -> tuple[dict[str, Any], CardScript]:
    challenge, ticket = merchant.number()
    answer = merchant.prove(ticket, chip.proof(challenge).encode()).json()
    return answer, CardScript.decode(bytes.fromhex(answer["script"]))


def outcome_of(merchant: Merchant, answer: dict[str, Any], evidence: RedemptionEvidence, **more: Any) -> httpx.Response:
    """The outcome, given to the issuer."""
    sent = {"script": answer["number"], "ticket": answer["ticket"], "evidence": evidence.encode().hex(), **more}
    return merchant.post("outcome", **sent)


def test_only_the_card_confirms_what_ran(rig: DistantRig, chip: Inserted) -> None:
    rig.want(SHEET)
    east = Merchant(rig)
    answer, script = ran(rig, east, chip)
    challenge = bytes.fromhex(answer["challenge"])
    before = state_now(chip.sender, chip.card(), challenge)
    assert outcome_of(east, answer, before).json() == {
        "done": [], "script": "", "number": 0, "challenge": "", "ticket": "", "unfinished": True,
    }  # fmt: skip
    forged = RedemptionEvidence.decode(before.encode().replace(before.issuer_data, _scripts(before.issuer_data, 2)))
    assert refused(outcome_of(east, answer, forged), rig)
    assert [state for _, state in rig.states()] == ["sent", "sent"]
    chip.card()
    assert update(chip.sender, script).ran == 2
    after = state_now(chip.sender, chip.card(), challenge)
    assert refused(outcome_of(Merchant(rig, 1), answer, after), rig)
    assert refused(outcome_of(east, answer, after, script=answer["number"] + 1), rig)
    assert outcome_of(east, answer, after).json()["done"] == ["validity", "cover"]
    assert refused(outcome_of(east, answer, after), rig), "the same outcome again"
    assert [state for _, state in rig.states()] == ["done", "done"]


def _scripts(issuer_data: bytes, number: int) -> bytes:
    """The issuer application data with another number of script commands."""
    return issuer_data[:6] + bytes((issuer_data[6] & 0xF0 | number,)) + issuer_data[7:]


def test_a_state_that_follows_from_no_script_on_record_waits_for_a_window(rig: DistantRig, chip: Inserted) -> None:
    """The registry is an earlier one than the card has met: nothing runs from afar, and nothing is recorded."""
    rig.want(SHEET)
    east = Merchant(rig)
    answer, script = ran(rig, east, chip)
    chip.card()
    update(chip.sender, script)
    rig.registry.updates.finish(answer["number"], 0, by="tests", place="")
    challenge, ticket = east.number()
    answer = east.prove(ticket, chip.proof(challenge).encode()).json()
    assert (answer["script"], answer["unfinished"]) == ("", True)
    assert [state for _, state in rig.states()] == ["pending", "pending"]


def test_many_wrong_proofs_close_it_to_the_outlet_for_a_while(rig: DistantRig, chip: Inserted) -> None:
    rig.want(SHEET)
    east = Merchant(rig)
    challenge, ticket = east.number()
    good, wrong = (chip.proof(number).encode() for number in (challenge, bytes(4)))
    for _ in range(WRONG_PROOFS.free):
        assert refused(east.prove(ticket, wrong), rig)
    assert east.prove(ticket, wrong).status_code == 409
    answer = east.prove(ticket, good)
    assert (problem(answer)["status"], answer.headers["retry-after"]) == (429, "1")
    rig.clock.now += timedelta(seconds=2)
    assert east.prove(ticket, good).json()["script"]


def test_who_gets_scripts(rig: DistantRig) -> None:
    rig.want(SHEET)

    def client(role: str) -> Client:
        secret = new_token()
        until = NOON + timedelta(days=360)
        rig.registry.tokens.make(role, key_of(secret), [role], until=until, by="maker")
        app = rig.counters[0].line._client._http._transport.app  # type: ignore[attr-defined]
        return Client(app, {"Authorization": f"Bearer {secret}"})

    assert problem(client("operator").get(V1))["status"] == 403
    assert problem(client("counter").get(V1))["params"]["reason"] == "outlet-missing"
    east = Merchant(rig)
    assert east.client.get(V1).json() == {"waiting": True}
    close_outlet(rig.registry, rig.outlets[0])
    assert problem(east.client.get(V1))["params"]["reason"] == "outlet-closed"
    assert problem(east.post("challenge"))["params"]["reason"] == "outlet-closed"
    assert Merchant(rig, 1).post("challenge").json()["waiting"]


def test_a_card_that_is_unknown_or_waits_for_nothing_gets_no_number(rig: DistantRig) -> None:
    nothing = {"waiting": False, "challenge": "", "ticket": ""}
    east = Merchant(rig)
    assert east.post("challenge").json() == nothing
    assert east.post("challenge", card_number="6212260000000000012").json() == nothing
    assert east.post("challenge", card_number="12 34").status_code == 422


def test_what_is_out_of_form_is_refused_and_not_counted(rig: DistantRig) -> None:
    rig.want(SHEET)
    east = Merchant(rig)
    _, ticket = east.number()
    assert problem(east.prove(ticket, b"\x02"))["status"] == 422
    sent = {"script": 1, "ticket": ticket, "evidence": "01"}
    assert problem(east.post("outcome", **sent))["status"] == 422
    assert not [one for one in rig.audited() if one.action == "card.proof-refused"]


def test_changes_that_another_counter_begins_meanwhile_come_with_its_script(
    rig: DistantRig, chip: Inserted, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.want(SHEET)
    east, west = Merchant(rig), Merchant(rig, 1)
    shown = []
    for merchant in (east, west):
        challenge, ticket = merchant.number()
        shown.append((ticket, chip.proof(challenge).encode()))
    pending: Any = CardUpdates.pending
    earlier: list[Any] = []

    def after_the_other(self: CardUpdates, *card: Any) -> tuple[WantedChange, ...]:
        if not earlier:
            earlier.append({})  # the other one asks here, too
            earlier[0] = west.prove(*shown[1]).json()
        return tuple(pending(self, *card))

    monkeypatch.setattr(CardUpdates, "pending", after_the_other)
    answer = east.prove(*shown[0]).json()
    assert answer["script"]
    assert (answer["number"], answer["script"]) == (earlier[0]["number"], earlier[0]["script"])
    assert len(rig.registry.updates.scripts(rig.number, 1)) == 1


def test_two_proofs_at_once_get_one_script(rig: DistantRig, chip: Inserted) -> None:
    """The registry has one open script for a card, whoever comes first."""
    rig.want(SHEET)
    proofs = []
    for merchant in (Merchant(rig), Merchant(rig, 1)):
        challenge, ticket = merchant.number()
        body = {"card_number": rig.number, "sequence": 1, "ticket": ticket}
        proofs.append((merchant, body | {"presence": chip.proof(challenge).encode().hex()}))
    chip.out()

    async def both() -> list[httpx.Response]:
        posts = (
            merchant.client._http.post(f"{V1}/script", json=body, headers={"Idempotency-Key": f"{place}"})
            for place, (merchant, body) in enumerate(proofs)
        )
        return await asyncio.gather(*posts)

    answers = asyncio.run(both())
    assert sorted(answer.status_code for answer in answers) in ([200, 200], [200, 409])
    assert len({answer.json()["script"] for answer in answers if answer.status_code == 200}) == 1
    assert len(rig.registry.updates.scripts(rig.number, 1)) == 1
    _, report, _ = rig.east.inserted()
    assert (report.kinds, report.unfinished) == (tuple(SHEET), False)
