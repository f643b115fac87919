"""The work of `membercard demo`."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from time import monotonic, perf_counter
from typing import Final, Literal, NamedTuple, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from membercard import output, settings
from membercard.commands.accounts import stock_equation
from membercard.commands.counter.card import judge, verdict_panel
from membercard.commands.issuing.line_display import prepare_with_progress, run_line
from membercard.demo.clock import DemoTime
from membercard.demo.handover import hand_over
from membercard.demo.members import settle_accounts, use_cards
from membercard.demo.merchant import DemoContract
from membercard.demo.payment import Issued, pay
from membercard.demo.printing import PRINTED, add_photos, demo_printer, printed_faces
from membercard.demo.setup import create_demo_home, make_blanks, make_stock
from membercard.demo.window import DemoWindow, activate_cards
from membercard.language import Language, current, text
from membercard.wiring.counter_lists import load_lists
from membercard.wiring.line import open_pool
from membercard.wiring.profile import profile_in_use
from membercard.wiring.readers import card_in
from personalize.intake import check
from personalize.line import report as reporting
from personalize.line.job import BodyMaking
from personalize.line.lanes import LaneResult, LineSettings
from personalize.ranges import approve
from personalize.rosters import to_import
from registry.db.actors import machine_actor, unproven_actor
from registry.store import Registry
from terminal.apdu import stack
from terminal.keys import MemoryCustody
from terminal.member.outcome import Verdict

T = TypeVar("T")


_MEMBERS: Final = slice(3, 6)
"""Cards that redeem, in the order of their numbers; those before them have paid."""


class _Times(NamedTuple):
    what: str
    seconds: float
    remark: str


_YEARS = ("beijing", "shijiazhuang", "hebei", "beijing-centre", "licheng")


def run(out: Path, lanes: int) -> None:
    """Do the main job in this directory and show it, over so many lanes. It is dated from the month that is over."""
    began = monotonic()
    keystore = create_demo_home(out, printed=True)
    current = settings.load()
    time = DemoTime.of(current.today(), current.zone)
    current.follow(time.clock)
    time.set_to(3, 9)
    with settings.open_registry(keystore) as registry:
        demo = _Demo(output.console(), registry, keystore, out, time)
        batches, results = demo.make_cards(lanes)
        box = demo.hand_over(batches)
        expected = demo.activate(batches)
        verdicts, chips, paid = demo.verify_and_pay()
        ended = verdicts == expected, paid, *demo.redeem_and_settle(chips)
        time.clock.set(0)
        page = _report(registry, batches, out)
        _summary(demo.console, registry, batches, results, verdicts, demo.times, monotonic() - began)
        _next_steps(demo.console, out, page, batches[0], box, time)
    if not all(ended) or any(r.fault for r in results):
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Demo:
    """The chapters of a demo in ``out``, with how long each took."""

    console: Console
    registry: Registry
    keystore: MemoryCustody
    out: Path
    time: DemoTime
    times: list[_Times] = field(default_factory=list)

    def make_cards(self, lanes: int) -> tuple[list[str], list[LaneResult]]:
        """From the forms to the chips: the batches, and what the lanes came to."""
        console, registry, stock = self.console, self.registry, self.out / "stock"
        _title(console, text("1  Intake"), text("two registration forms, one of them as clerks really send them"))
        batches = self._timed(
            text("intake"), lambda: _import_forms(console, registry), text("2 forms checked and stored")
        )
        _title(console, text("2  Approval"), text("a second person approves each batch, never the one who imported it"))
        for batch in batches:
            approve(registry, profile_in_use(), batch, unproven_actor("reviewer"))
            console.print(f"   {text('{batch} approved by {person}', batch=batch, person='reviewer')}")
        _title(console, text("3  Data preparation"), text("RSA keys, certificates and a sealed dossier for every card"))
        if profile_in_use().face is not None:
            photos = sum(add_photos(registry, batch, by=unproven_actor("clerk")) for batch in batches)
            console.print(f"   {text('{count} photos of members', count=photos)}")
        count = self._timed(
            text("preparation"),
            lambda: _prepare(console, registry, self.keystore, batches),
            text("RSA keys included"),
        )
        _title(
            console,
            text("4  Personalization"),
            text("a card printer, then {count} lanes; one blank chip has unknown keys and is rejected", count=lanes),
        )
        printed = self._timed(
            text("printing"),
            lambda: self._print_cards(batches[0]),
            text("10 cards, by the machine that fed their chips"),
        )
        registry.stock.receive(make_blanks(stock, count - PRINTED), "demo", unproven_actor("storekeeper"))
        urls = [f"sim:{stock}"] * lanes
        results = self._timed(
            text("personalization"),
            lambda: [
                result
                for batch in batches
                for result in run_line(
                    registry,
                    batch,
                    profile_in_use(),
                    self.keystore,
                    urls,
                    body=BodyMaking.ELSEWHERE,
                    console=console,
                )
            ],
            text("{count} lanes, every card read back", count=lanes),
        )
        return batches, [*printed, *results]

    def _print_cards(self, batch: str) -> list[LaneResult]:
        """A lane over a card printer, until the few blanks in its feeder are used up."""
        stock = self.out / "stock"
        make_stock(stock, PRINTED, "--scp", "03")
        self.registry.stock.receive(PRINTED, "demo", unproven_actor("storekeeper"))
        with demo_printer(stock) as printer:
            return run_line(
                self.registry,
                batch,
                profile_in_use(),
                self.keystore,
                [printer],
                names=["card printer"],
                line_settings=LineSettings(idle=0),
                console=self.console,
            )

    def hand_over(self, batches: Sequence[str]) -> str:
        """The cards reach their members; the first box."""
        _title(
            self.console,
            text("5  Hand-over"),
            text("a box for each unit with its delivery list, signed for at each level"),
        )
        by = unproven_actor("storekeeper")
        return self._timed(
            text("hand-over"),
            lambda: hand_over(self.console, self.registry, self.out, batches, self.time, by=by),
            text("2 boxes, each signed for"),
        )

    def activate(self, batches: Sequence[str]) -> Counter[str]:
        """The members have their cards activated; the verdicts on all cards then."""
        _title(
            self.console,
            text("6  Activation"),
            text("at a window that is on line, with an ID: the chip has the day, and no list is needed"),
        )
        issued, by = self.out / "stock" / "issued", unproven_actor("clerk")
        return self._timed(
            text("activation"),
            lambda: activate_cards(
                self.console,
                self.registry,
                DemoWindow(self.registry, self.keystore, self.time.clock, issued, by=by),
                batches,
            ),
            text("one insertion each"),
        )

    def verify_and_pay(self) -> tuple[Counter[str], dict[str, Issued], bool]:
        """Every card at a counter, and payments with three of them: verdicts, cards by number, whether it went well."""
        console, issued = self.console, self.out / "stock" / "issued"
        _title(console, text("7  At the counter"), text("every issued card again, offline, as a merchant does"))
        self.time.set_to(10, 9)
        verdicts, chips = self._timed(text("counter"), lambda: _counter(console, issued), text("offline verdicts"))
        _title(
            console,
            text("8  At the merchant"),
            text("the payment application of the same chips, and a test bank that checks every cryptogram"),
        )
        paid = self._timed(
            text("payments"),
            lambda: pay(console, self.registry, self.keystore, self.out, chips),
            text("three cards"),
        )
        return verdicts, chips, paid

    def redeem_and_settle(self, chips: Mapping[str, Issued]) -> tuple[bool, bool]:
        """Benefits at the merchant's counter, and the statement for them: whether each went well."""
        console = self.console
        _title(
            console,
            text("9  Members use their cards"),
            text("the chip counts each use and signs it, also while the counter has no line to the office"),
        )
        merchant = DemoContract(self.registry, self.keystore, self.time.days)
        members = [issued.chip for _, issued in sorted(chips.items())[_MEMBERS]]
        used = self._timed(
            text("redemptions"),
            lambda: use_cards(console, merchant, self.registry, self.keystore, self.out, members, self.time),
            text("12 insertions, one of them torn"),
        )
        _title(
            console,
            text("10  Upload and settlement"),
            text("the office proves each redemption, and two people sign the merchant's statement"),
        )
        settled = self._timed(
            text("settlement"),
            lambda: settle_accounts(console, merchant, self.registry, self.keystore, self.out, self.time),
            text("one month of one merchant"),
        )
        return used, settled

    def _timed(self, what: str, work: Callable[[], T], remark: str) -> T:
        """Do the work and record how long it took."""
        began = monotonic()
        result = work()
        self.times.append(_Times(what, monotonic() - began, remark))
        return result


def _import_forms(console: Console, registry: Registry) -> list[str]:
    batches = []
    for name in ("roster-clean-50.xlsx", "roster-messy.xlsx"):
        with as_file(files("membercard.demo") / "data" / name) as path:
            roster = check(path, known=registry.rosters.known_members, today=settings.load().today())
        accepted, rejected = to_import(roster)
        batch = registry.rosters.import_roster(
            roster.unit or name, accepted, rejected, source=name, digest=roster.digest, by=unproven_actor("clerk")
        )
        batches.append(batch.id)
        console.print(
            "   "
            + text(
                "{file} of {unit}: [green]{accepted} accepted[/], {rejected} returned → {batch}",
                file=name,
                unit=escape(roster.unit or name),
                accepted=len(accepted),
                rejected=len(rejected),
                batch=batch.id,
            ),
            soft_wrap=True,
        )
        if rejected:
            chosen: Literal["zh", "en"] = "zh" if current() is Language.CHINESE else "en"
            rows = [(row.sheet_row, row.seq, " ".join(row.codes), row.sentence(chosen)) for row in roster.rejected[:8]]
            console.print(output.table("", ["row", "no.", "fault codes", "reasons"], rows, right=["row", "no."]))
            if len(rejected) > 8:
                more = text("… and {count} more; all of them are in the report", count=len(rejected) - 8)
                console.print(f"   {more}", style="dim")
    return batches


def _prepare(console: Console, registry: Registry, keystore: MemoryCustody, batches: Sequence[str]) -> int:
    profile = profile_in_use()
    columns = (TextColumn("   {task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        pool = open_pool(keystore, profile)
        return sum(
            prepare_with_progress(registry, batch, profile, keystore, pool, progress, by=machine_actor("operator"))
            for batch in batches
        )


def _counter(console: Console, issued: Path) -> tuple[Counter[str], dict[str, Issued]]:
    """Verify every issued card offline, and show one verdict of each kind in full; returns verdict counts and the cards
    by number."""
    lists = load_lists(None, None, None)
    verdicts: Counter[str] = Counter()
    chips: dict[str, Issued] = {}
    seconds: list[float] = []
    shown: dict[str, Verdict] = {}
    for path in sorted(issued.glob("*.card")):
        with card_in(f"sim:{path}", 0) as transport:
            began = perf_counter()
            verdict = judge(stack(transport), lists)
            seconds.append(perf_counter() - began)
        verdicts[verdict.code.value] += 1
        if verdict.member is not None:
            chips[verdict.member.card_number] = Issued(path, verdict.member.sequence)
        shown.setdefault(verdict.code.value, verdict)
    for verdict in shown.values():
        console.print(verdict_panel(verdict))
    codes = ", ".join(f"{count} {code}" for code, count in verdicts.items())
    median = statistics.median(seconds) * 1000
    console.print("   " + text("{codes}; {median:.1f} ms a verdict (median)", codes=codes, median=median))
    return verdicts, chips


def _report(registry: Registry, batches: Sequence[str], out: Path) -> Path:
    page = out / "report.html"
    reports = [reporting.collect(registry, batch) for batch in batches]
    faces = printed_faces(out / "stock")
    output.write_file(page, reporting.render(reports, created_at=settings.load().now(), faces=faces).encode())
    return page


def _summary(
    console: Console,
    registry: Registry,
    batches: Sequence[str],
    results: Sequence[LaneResult],
    verdicts: Counter[str],
    times: Sequence[_Times],
    total: float,
) -> None:
    _title(
        console, text("11  Reconciliation"), text("at every moment, no chip and no dossier is lost or counted twice")
    )
    accounts = {batch: registry.batches.accounts(batch) for batch in batches}
    columns = ["batch", "members", "verified", "remade", "chips", "rejected", "accounts"]
    rows = [
        (
            b,
            a.members,
            a.verified,
            a.remade,
            a.chips_fed,
            a.chips_rejected,
            f"✓ {text('balanced')}" if a.balanced else f"✗ {text('NOT BALANCED')}",
        )
        for b, a in accounts.items()
    ]
    console.print(output.table("", columns, rows, right=columns[1:6]))
    console.print(Text(" ") + stock_equation(registry.stock.accounts()), soft_wrap=True)
    timing = [(t.what, f"{t.seconds:.2f}", t.remark) for t in times] + [(text("everything"), f"{total:.2f}", "")]
    console.print(output.table("", ["step", "seconds", ""], timing, right=["seconds"]))


def _next_steps(console: Console, out: Path, page: Path, batch: str, box: str, time: DemoTime) -> None:
    config = f"membercard --config {out / 'membercard.toml'}"
    card = next(iter(sorted((out / "stock" / "issued").glob("*.card"))), out)
    console.print()
    console.print(text("Report: {path}   (open it in a browser)", path=page.resolve()), markup=False, soft_wrap=True)
    console.print(text("Try next:"), style="bold")
    steps = [
        (f"{config} batch show {batch}", text("the accounts of a batch")),
        (f"{config} card verify --reader sim:{card}", text("the verdict of a counter")),
        (f"{config} card read --reader sim:{card}", text("the content of the chip")),
        (f"{config} box show {box}", text("a box, its cards and its way")),
        (f"{config} redeem --reader sim:{card}", text("what its member can have at the counter")),
        (f"{config} redemptions list --on {time.days.of_month(20)}", text("a day at the counter")),
        (f"{config} settlement show 1", text("the merchant's statement")),
        (f"{config} gp info --reader sim:{card}", text("the chip as GlobalPlatform sees it")),
        (f"membercard sim attach {card} --vpcd 127.0.0.1:35963", text("the same chip in a real PC/SC slot")),
        ("membercard --help", text("everything else")),
    ]
    if profile_in_use().payment is not None:
        steps.insert(
            7, (f"{config} emv run --reader sim:{card} --amount 12.34", text("a payment, every step explained"))
        )
    for command, purpose in steps:
        console.print(f"   .venv/bin/{command}", soft_wrap=True)
        console.print(f"      {purpose}", style="dim")
    console.print(text("A whole year of a federation, with its report, in under a minute each:"), style="bold")
    for name in _YEARS:
        console.print(f"   .venv/bin/membercard programme demo {name}", soft_wrap=True)


def _title(console: Console, title: str, subject: str) -> None:
    console.print(f"\n[bold]{title}[/]  [dim]{subject}[/]", soft_wrap=True)
