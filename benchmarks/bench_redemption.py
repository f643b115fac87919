"""A redemption with its verdict: the host's time beyond the card's own, and a whole insertion on a real chip.

The card has the shipped profile and is personalized by the line. It redeems once, with RSA; then its answers are
replayed at almost no cost, which the same unpredictable numbers in every redemption allow. Nothing is cached between
redemptions: every certificate and both signatures are verified each time.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as time_of_day
from functools import partial
from pathlib import Path

from benchmarks.bench_kernel import RecordingCard, ReplayedCard
from benchmarks.table import Row
from personalize.line.execute import process
from simulators.readers.reader import SimCard
from simulators.readers.timing import Cost, TimedCard, TimingModel, Wire
from terminal.apdu import Sender, stack
from terminal.member.hotlist import Hotlist
from terminal.member.redemption.redeem import Redemption, redeem
from terminal.member.redemption.request import RedemptionRequest
from terminal.member.signed import Issue
from terminal.member.trust import TrustList
from terminal.member.verdict import verify
from tests.support.cards.card_bench import Bench, fast_directory

HOST_TARGET, WHOLE_TARGET = 0.025, 1.2
"""Seconds: of the host, and of a whole insertion by the timing model."""
CALLS, ROUNDS = 20, 31
TA1 = 0x96
NUMBER = bytes.fromhex("A1B2C3D4")


@dataclass(frozen=True)
class Counter:
    """A counter on the day when the card was issued."""

    trust: TrustList
    at: datetime

    def serve(self, sender: Sender) -> Redemption:
        """Verdict, then one use of the first benefit of the card."""
        hotlist = Hotlist.of((), Issue(1, self.at, self.at))
        verdict = verify(sender, trust=self.trust, hotlist=hotlist, at=self.at, unpredictable=NUMBER)
        assert verdict.accepted, verdict.sentence
        assert verdict.card is not None
        day, clock = date(self.at.year, self.at.month, self.at.day), time_of_day(self.at.hour, self.at.minute)
        benefit = verdict.entitlements[0].benefit_class
        redemption = redeem(sender, verdict.card, RedemptionRequest(benefit, 1, 0, day, clock, "M", "T0000001", NUMBER))
        assert redemption.done, redemption.to_json()
        return redemption


def run() -> list[Row]:
    with fast_directory() as directory:
        turns, whole, counter = _recorded(directory)
    sender = stack(ReplayedCard(turns))
    serve = partial(counter.serve, sender)
    serve()
    host = statistics.median(_seconds(serve) for _ in range(ROUNDS))
    what = f"redemption with its verdict, {len(turns)} commands: processor time of the host"
    own = Row(what, f"{host * 1e3:.1f} ms", host / HOST_TARGET, "≤ 25 ms", host <= HOST_TARGET)
    total = whole.total + host
    what = "card in, verdict, redemption on a real chip, RSA, T=1, TA1=96, by the timing model"
    return [own, Row(what, str(whole), total / WHOLE_TARGET, "≤ 1.2 s", total <= WHOLE_TARGET)]


def _recorded(directory: Path) -> tuple[list[tuple[bytes, bytes]], Cost, Counter]:
    """The dialogue of one redemption on a card of the shipped profile, and its time on a chip."""
    bench = Bench(directory, 1)
    chip, job = bench.chip(ta1=TA1), bench.job()
    line = SimCard(chip, chip.config.protocol)
    report = process(line, job, "bench", lambda serial: True)
    assert not report.reason, report.reason
    line.close()
    bench.registry.close()
    counter, timing = Counter(job.trust, job.now()), TimingModel(Wire(chip.config.protocol, chip.config.ta1))
    recording = RecordingCard(SimCard(TimedCard(chip, timing), chip.config.protocol))
    counter.serve(stack(recording))
    recording.card.close()
    return recording.turns, timing.session, counter


def _seconds(call: partial[Redemption]) -> float:
    start = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - start) / CALLS


if __name__ == "__main__":
    for row in run():
        print(row)
