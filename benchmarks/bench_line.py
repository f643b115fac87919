"""The personalization line: host time per card, commands and bytes against the minimum, lanes in parallel."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.table import Row
from personalize.dossiers.dossier import Dossier, DossierPart
from personalize.line.execute import process
from personalize.line.job import Job
from personalize.line.lanes import PersonalizationLine
from personalize.line.outcome import CardOutcome
from personalize.profiles.profile import Profile
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from simulators.readers.timing import Cost
from terminal.apdu import Command, Disposition, Reader, Transport, open_reader
from terminal.keys import Sealed
from tests.support import issuer

CARDS = 40
LANES = 4


@dataclass
class RecordingTransport:
    """A transport that records the commands sent and the processor time of the virtual card."""

    inner: Transport
    sent: list[bytes] = field(default_factory=list)
    card_seconds: float = 0.0

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def exchange(self, apdu: bytes) -> bytes:
        self.sent.append(apdu)
        began = time.thread_time()
        try:
            return self.inner.exchange(apdu)
        finally:
            self.card_seconds += time.thread_time() - began


@contextmanager
def prepared_batch(cards: int, profile: Profile | None = None) -> Iterator[tuple[Job, Path, Path]]:
    """A batch prepared for ``cards`` cards with this profile or the default one, and a stock of as many blanks."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with issuer.registry(f"sqlite:///{directory / 'registry.db'}") as store:
            batch = issuer.prepared(store, cards, directory, profile=profile)
            stock = directory / "stock"
            list(make_stock(stock, cards, CardConfig(chip=blank())))
            yield issuer.job(store, batch, profile), stock, directory


def run() -> list[Row]:
    return [*_one_lane(), _many_lanes()]


def _one_lane() -> Iterator[Row]:
    with prepared_batch(CARDS) as (job, stock, _):
        reader = open_reader(f"sim:{stock}?timing=report")
        host, transport = 0.0, None
        for number in range(CARDS):
            reader.wait_for_card(0)
            transport = RecordingTransport(reader.connect())
            began = time.thread_time()
            report = process(transport, job, "lane 1", lambda serial: True)  # type: ignore[arg-type]
            spent = time.thread_time() - began - transport.card_seconds
            if report.outcome is not CardOutcome.VERIFIED:
                raise RuntimeError(f"a card was not verified: {report.reason}")
            # The first card is left out: imports and caches take time once a batch.
            host += spent if number else 0.0
            reader.release(Disposition.DONE)
        per_card = host / (CARDS - 1)
        measured = f"{per_card * 1000:.1f} ms"
        yield Row("host CPU per card, whole personalization", measured, per_card / 0.025, "≤ 25 ms", per_card <= 0.025)
        yield from _least(transport, job)
        chip: Cost = reader.timing.session  # type: ignore[attr-defined]
        what = "time of a whole card on a real chip, T=1, TA1=96, by the timing model"
        yield Row(what, str(chip), chip.total, "reported", True)


def _least(transport: RecordingTransport | None, job: Job) -> Iterator[Row]:
    """STORE DATA as sent, against the minimum of bytes in 255-byte commands."""
    if transport is None:
        raise RuntimeError("no card was personalized")
    sent = [apdu for apdu in transport.sent if apdu[1] == 0xE2]
    dossier = _dossier(job)
    # C-MAC takes 8 of 255 bytes; C-ENC pads to blocks of 16 with at least one byte: 239 plain bytes a command.
    room = 239
    sizes = [sum(_size(p) for p in dossier.member.parts if p.secret is secret) for secret in (True, False)]
    commands = sum(-(-size // room) for size in sizes)
    least = sum(sizes) + commands * (5 + 8 + 1)
    ratio = max(len(sent) / commands, sum(map(len, sent)) / least)
    measured = f"{len(sent)} / {sum(map(len, sent))} against {commands} / {least}"
    what = "STORE DATA commands / bytes a card, against the least for its DGIs"
    yield Row(what, measured, ratio, "≤ 1.05", ratio <= 1.05)
    whole = [Command.decode(apdu).ins for apdu in transport.sent]
    yield Row("commands a card in all, read-back included", f"{len(whole)}", float(len(whole)), "reported", True)


def _dossier(job: Job) -> Dossier:
    member = issuer.member(name="赵钱", unit_name="测试工会")  # as long as those of the batch
    with tempfile.TemporaryDirectory() as pool:
        return issuer.preparer().prepare(member, job.profile.card_number.number(1), issuer.pool(Path(pool)).make())


def _size(part: DossierPart) -> int:
    """Bytes of a DGI with its header; secret values padded to AES blocks where they are padded."""
    if isinstance(part.value, bytes):
        value = len(part.value)
    elif isinstance(part.value, Sealed):
        value = len(part.value.blob) - 28
    else:
        value = 48
    value = (value // 16 + 1) * 16 if part.padded else value
    return 2 + (1 if value < 0xFF else 3) + value


def _many_lanes() -> Row:
    """The same number of cards over one lane and over four, every exchange as slow as on a real chip."""
    seconds = {}
    for lanes in (1, LANES):
        with prepared_batch(LANES * 5) as (job, stock, directory):
            readers: list[Reader] = [open_reader(f"sim:{stock}?timing=real") for _ in range(lanes)]
            began = time.monotonic()
            remake = partial(issuer.prepare, job.registry, job.batch_id, directory)
            results = PersonalizationLine(job, remake=remake).run(readers)
            seconds[lanes] = time.monotonic() - began
            if sum(result.counts.get(CardOutcome.VERIFIED, 0) for result in results) != LANES * 5:
                raise RuntimeError("not every card was verified")
    ratio = seconds[1] / seconds[LANES]
    measured = f"{seconds[1]:.1f} s against {seconds[LANES]:.1f} s for {LANES * 5} cards"
    return Row("4 lanes with real delay against one", measured, ratio, "≥ 3.8", ratio >= 3.8)
