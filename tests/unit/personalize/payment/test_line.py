"""One pass over a chip: member application, payment application and directories, then all of it read back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from personalize.dossiers.dossier import Dossier
from personalize.errors import ReadBackError
from personalize.line.execute import process
from personalize.line.outcome import CardOutcome, CardReport
from personalize.payment.readback import read_back_directory, read_back_payment
from personalize.profiles.profile import Profile
from personalize.protocols import ReadBackRun
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import Command, Response, Sender, stack
from tests.support import bank, issuer
from tests.support.cards.card_bench import SCP02, SCP03, Bench, fast_directory

PROFILES = {
    "rsa": bank.profile(),
    "sm": bank.profile(algorithms="sm"),
    "both": bank.profile(algorithms="both", pdol=bank.SM_PDOL),
    "static": bank.profile(authentication={"static": True}, contactless=False),
}


@contextmanager
def bench(profile: Profile, members: int = 2) -> Iterator[Bench]:
    with fast_directory() as directory:
        line_bench = Bench(directory, members, profile=profile)
        yield line_bench
        line_bench.registry.close()


def personalized(bench: Bench, chip: VirtualCard, **job: object) -> CardReport:
    card = SimCard(chip, chip.config.protocol)
    try:
        return process(card, bench.job(**job), "lane 1", lambda serial: True)
    finally:
        card.close()


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("kind", [SCP03, SCP02], ids=["scp03", "scp02"])
def test_every_application_in_one_pass(profile: Profile, kind: tuple[int, object]) -> None:
    with bench(profile, 1) as line_bench:
        report = personalized(line_bench, line_bench.chip(kind))  # type: ignore[arg-type]
        assert report.outcome is CardOutcome.VERIFIED, report.reason
        assert line_bench.accounts.balanced
        (card,) = line_bench.registry.cards.of_batch(line_bench.batch)
        assert list(line_bench.registry.pans.of_cards([card.card_number]))


def test_the_least_commands_for_each_application() -> None:
    """SELECT, CPLC, keys, state, INITIALIZE UPDATE, EXTERNAL AUTHENTICATE; for each application INSTALL twice and STORE
    DATA as often as its groupings fill blocks."""
    with bench(PROFILES["rsa"], 1) as line_bench:
        chip, sent = line_bench.chip(), []
        card = SimCard(chip, chip.config.protocol)
        exchange = card.exchange

        class Seen:
            atr, protocol, extended_length = card.atr, card.protocol, card.extended_length
            reset, close = card.reset, card.close

            def exchange(self, apdu: bytes) -> bytes:
                sent.append(apdu[1])
                return exchange(apdu)

        assert process(Seen(), line_bench.job(), "lane 1", lambda serial: True).outcome is CardOutcome.VERIFIED
        assert sent.count(0xE6) == 2 * 4
        # Member 1,100 bytes of secrets and 1,300 in clear; payment 600 and 800; the directories one block each.
        assert sent.count(0xE2) <= 20


def test_a_proof_by_use_runs_once_the_data_are_right() -> None:
    proven: list[str] = []

    def proof(sender: Sender, dossier: Dossier, at: datetime) -> str:
        answer = sender.send(Command(0x00, 0xA4, 0x04, 0x00, bytes.fromhex("A000000333010101"), ne=256))
        assert answer.sw.ok
        proven.append(dossier.card_number)
        return "approved"

    with bench(PROFILES["rsa"], 1) as line_bench:
        assert personalized(line_bench, line_bench.chip(), payment_proof=proof).outcome is CardOutcome.VERIFIED
        (card,) = line_bench.registry.cards.of_batch(line_bench.batch)
        assert proven == [card.card_number]
        assert card.result["payment"] == "approved"


def test_a_proof_that_fails_rejects_the_chip() -> None:
    def proof(sender: Sender, dossier: Dossier, at: datetime) -> str:
        raise ReadBackError("the cryptogram", "the issuer refuses it")

    with bench(PROFILES["rsa"], 1) as line_bench:
        report = personalized(line_bench, line_bench.chip(), payment_proof=proof)
        assert (report.outcome, report.bin) == (CardOutcome.REJECTED, "3 data")
        assert "the cryptogram" in report.reason


class Changed:
    """A sender whose answers to one instruction are changed."""

    def __init__(self, inner: Sender, ins: int, old: bytes, new: bytes) -> None:
        self._inner, self._ins, self._old, self._new = inner, ins, old, new

    def send(self, command: Command) -> Response:
        answer = self._inner.send(command)
        if command.ins != self._ins:
            return answer
        return Response(answer.data.replace(self._old, self._new), answer.sw)


DIFFERENCES = [
    pytest.param(0xA4, b"UNIONPAY DEBIT", b"UNIONPAY DEBIU", "the FCI", id="label"),
    pytest.param(0xA8, b"\x82\x02\x3d\x00", b"\x82\x02\x1d\x00", "processing options", id="aip"),
    pytest.param(0xB2, bytes.fromhex("9F0702FF00"), bytes.fromhex("9F0702FF80"), "payment record 1.1", id="record"),
    pytest.param(
        0xB2, b"\x4f\x08\xa0\x00\x00\x03\x33\x01\x01\x01", b"\x4f\x08\xa0\x00\x00\x03\x33\x01\x01\x02", "1PAY", id="pse"
    ),
    pytest.param(0xCA, bytes.fromhex("9F1701"), bytes.fromhex("9F1702"), "PIN tries", id="tries"),
    pytest.param(0xCA, bytes.fromhex("9A03"), bytes.fromhex("9A04"), "log format", id="log-format"),
]


@pytest.fixture(scope="module")
def issued() -> Iterator[tuple[Bench, VirtualCard, Dossier]]:
    with bench(PROFILES["rsa"], 1) as line_bench:
        chip = line_bench.chip()
        opened: list[Dossier] = []

        def proof(sender: Sender, dossier: Dossier, at: datetime) -> str:
            opened.append(dossier)
            return "seen"

        assert personalized(line_bench, chip, payment_proof=proof).outcome is CardOutcome.VERIFIED
        yield line_bench, chip, opened[0]


@pytest.mark.parametrize(("ins", "old", "new", "where"), DIFFERENCES)
def test_a_changed_answer_is_detected(
    issued: tuple[Bench, VirtualCard, Dossier], ins: int, old: bytes, new: bytes, where: str
) -> None:
    bench, chip, dossier = issued
    job = bench.job()
    card = SimCard(chip, chip.config.protocol)

    def read_back(sender: Sender) -> None:
        run = ReadBackRun(sender, dossier, job.custody, job.guard, job.trust, job.now())
        for directory in dossier.directories:
            read_back_directory(run, directory)
        assert dossier.payment is not None
        read_back_payment(run, dossier.payment)

    try:
        read_back(stack(card))
        with pytest.raises(ReadBackError, match=where):
            read_back(Changed(stack(card), ins, old, new))
    finally:
        card.close()


def test_a_reissued_chip_keeps_its_account_number_under_the_next_sequence() -> None:
    def proof(sender: Sender, dossier: Dossier, at: datetime) -> str:
        raise ReadBackError("the cryptogram", "the issuer refuses it")

    with bench(PROFILES["rsa"], 1) as line_bench:
        assert personalized(line_bench, line_bench.chip(), payment_proof=proof).outcome is CardOutcome.REJECTED
        (member,) = line_bench.registry.dossiers.to_prepare(line_bench.batch)
        assert (member.sequence, member.card_number is None) == (2, False)
        before = line_bench.registry.pans.of_cards([str(member.card_number)])
        assert issuer.prepare(line_bench.registry, line_bench.batch, line_bench.directory, line_bench.profile) == 1
        assert line_bench.registry.pans.of_cards([str(member.card_number)]) == before
        seen: list[Dossier] = []
        again = personalized(
            line_bench, line_bench.chip(), payment_proof=lambda sender, dossier, at: seen.append(dossier) or "seen"
        )
        assert again.outcome is CardOutcome.VERIFIED
        assert seen[0].payment
        assert b"\x5f\x34\x01\x02" in seen[0].payment.records()[1, 1]
