"""`membercard card`: verify, read and trace a card as a counter or a developer does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from membercard import exchanges, language, output, settings
from membercard.commands.card_options import ReaderUrl, Wait
from membercard.commands.developers.gp.facts import flat
from membercard.errors import NoMemberCard
from membercard.wiring.advice import advice_on
from membercard.wiring.counter_lists import load_lists
from membercard.wiring.member_application import member_aid
from membercard.wiring.readers import card_in
from terminal.apdu import Atr, Sender, Trace, TraceEntry, Transport, stack
from terminal.errors import CardError, CardRefused, CodecError
from terminal.globalplatform import AuthenticationGuard, SecurityDomain
from terminal.keys import MemoryCustody
from terminal.member.contents import element_rows, has_no_application, read_contents, redemption_rows
from terminal.member.lists import CounterLists
from terminal.member.outcome import Verdict, VerdictCode
from terminal.member.presentation import PRESENTATIONS, Advice, CountedAs, Tone
from terminal.member.reading import MemberCard, select
from terminal.member.values import Period
from terminal.member.verdict import verify

if TYPE_CHECKING:
    from terminal.emv.data.explain import Explained

app = typer.Typer()

_UNDER = " " * 13
"""Indent of explanations below a command."""

TrustFile = Annotated[
    Path | None, typer.Option(help="Signed trust list (membercard lists publish).", show_default=False)
]
HotlistFile = Annotated[Path | None, typer.Option(help="Signed hotlist.", show_default=False)]
ListKey = Annotated[Path | None, typer.Option(help="The key that the lists are signed with.", show_default=False)]


@app.command("verify")
def verify_card(
    reader: ReaderUrl,
    trust: TrustFile = None,
    hotlist: HotlistFile = None,
    list_key: ListKey = None,
    wait: Wait = 0,
    json: output.Json = False,
) -> None:
    """Is this card genuine and its membership valid? Works offline.

    The lists come from the options, from the data directory, or else from the issuer's own keystore and registry.
    Exit code 0 only for ACTIVE; 1 for a card that is refused; 3 when the card could not be read; 4 for a genuine card
    of which nobody knows whether it was reported lost: the hotlist is missing, expired, not yet valid or older than
    the setting hotlist_days allows, or the clock was set back. A list that is older than one used before is refused.

    Example: membercard card verify --reader pcsc:0 --wait 30
    """
    lists = load_lists(trust, hotlist, list_key)
    warn_of(lists)
    with card_in(reader, wait) as transport:
        verdict = judge(stack(transport), lists)
    advice = advice_on(verdict, by_files=trust is not None)
    if json:
        output.as_json(verdict.to_json() | advice.to_json())
    else:
        output.show(verdict_panel(verdict, advice))
    exit_as(verdict)


def warn_of(lists: CounterLists) -> None:
    if lists.fault:
        typer.echo(f"membercard: {language.sentence(lists.fault)}", err=True)


def exit_as(verdict: Verdict) -> None:
    code = _EXIT_CODES[PRESENTATIONS[verdict.code].counted]
    if code:
        raise typer.Exit(code)


@app.command("read")
def read(reader: ReaderUrl, wait: Wait = 0, json: output.Json = False) -> None:
    """Show the member application without verifying it. Identity is masked, protected data are not read."""
    with card_in(reader, wait) as transport:
        card = _member_card(stack(transport))
    rows = list(element_rows(card))
    if json:
        output.as_json({"aid": card.application.name, "elements": [row._asdict() for row in rows]})
        return
    title = language.text("Member application {aid}", aid=card.application.name.hex().upper())
    short = [(*row[:3], language.sentence(row.element), _shortened(_in_words(row.tag, row.value))) for row in rows]
    output.show(output.table(title, ["SFI", "record", "tag", "element", "value"], short))


@app.command("log")
def log(reader: ReaderUrl, wait: Wait = 0, json: output.Json = False) -> None:
    """Show the redemptions that the card has on record, the newest first. Nothing signs them.

    Example: membercard card log --reader pcsc:0
    """
    with card_in(reader, wait) as transport:
        sender = stack(transport)
        with _of_member_cards():
            application = select(sender, member_aid())
        rows = list(redemption_rows(sender, application))
    if json:
        output.as_json([row._asdict() for row in rows])
    elif not rows:
        output.say("no redemption is on record")
    else:
        columns = ["", "transaction", "time", "merchant", "benefit", "quantity", "used"]
        output.show(output.table(language.text("Redemptions"), columns, rows))


@app.command("info")
def info(reader: ReaderUrl, wait: Wait = 0, json: output.Json = False) -> None:
    """Show answer to reset, production data, key versions and applications that a card gives without a key."""
    with card_in(reader, wait) as transport:
        facts = unauthenticated_facts(transport)
    if json:
        output.as_json(facts)
        return
    table = output.table("", ["", ""], flat(facts))
    table.show_header = False
    output.show(table)


@app.command("trace")
def trace(
    reader: ReaderUrl,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show data too: for test cards only, they are personal.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Explain commands and responses; personal data stay masked.")
    ] = False,
    wait: Wait = 0,
    json: output.Json = False,
) -> None:
    """Verify the card and print every command and response, with its time. Data are redacted unless --reveal.

    Exit codes as those of `card verify`.

    Example: membercard card trace --reader sim:stock/issued/chip-600134F3DFE95E4C4790.card
    """
    # Explanations need the data; they are masked when they are printed.
    lists, recorded = load_lists(None, None, None), Trace(reveal=reveal or explain)
    warn_of(lists)
    with card_in(reader, wait) as transport:
        verdict = judge(stack(transport, recorded), lists)
    turns = _explained(recorded, reveal) if explain else [(entry, ()) for entry in recorded]
    if json:
        explained = [
            output.plain(entry) | ({"explained": [tree.to_json() for tree in trees]} if explain else {})
            for entry, trees in turns
        ]
        output.as_json({"verdict": verdict.code.value, "exchanges": explained})
    else:
        for entry, trees in turns:
            typer.echo(exchanges.line(entry))
            output.trees(trees, _UNDER)
        output.say(
            "{count} exchanges, {wait:.1f} ms waiting for the card: {code}",
            count=len(recorded),
            wait=recorded.seconds * 1000,
            code=verdict.code.value,
        )
    exit_as(verdict)


def _explained(recorded: Trace, reveal: bool) -> list[tuple[TraceEntry, tuple[Explained, ...]]]:
    # Slow to import, and not needed for a verdict.
    from membercard.commands.developers.emv.trace import explain_trace

    return list(explain_trace(recorded, reveal=reveal))


def _in_words(tag: str, value: str) -> str:
    """A value in the current language where it is words and not what somebody is called."""
    return "\n".join(map(language.sentence, value.split("\n"))) if tag in _WORDED else value


def _shortened(value: str) -> str:
    """Certificates shortened; --json has them complete."""
    return value if len(value) <= 120 or " " in value else output.shortened(value)


def judge(sender: Sender, lists: CounterLists) -> Verdict:
    at = settings.load().now()
    return verify(sender, trust=lists.trust, hotlist=lists.hotlist, at=at, policy=lists.policy, aid=member_aid())


_EXIT_CODES = {CountedAs.ACCEPTED: 0, CountedAs.REFUSED: 1, CountedAs.UNREAD: 3, CountedAs.UNCHECKED: 4}
_SIGNS = {Tone.OK: "✓", Tone.DOUBT: "?"}
_COLOURS = {Tone.OK: "green", Tone.WARN: "yellow", Tone.BAD: "red", Tone.DOUBT: "magenta", Tone.IDLE: "red"}


_WORDED = ("DF25", "DF26", "DF28", "DF2B", "DF2D")
"""Sex, category, entitlements, masked identity and activation."""
_LEFT = {
    Period.DAY: "{benefit}: {left} of {limit} this day",
    Period.MONTH: "{benefit}: {left} of {limit} this month",
    Period.QUARTER: "{benefit}: {left} of {limit} this quarter",
    Period.YEAR: "{benefit}: {left} of {limit} this year",
    Period.ONCE: "{benefit}: {left} of {limit}, once",
}


def verdict_panel(verdict: Verdict, advice: Advice | None = None) -> RenderableType:
    """The verdict for a person: colour, sign and words, then who the member is and what is left."""
    row = (advice or Advice.of(verdict.code)).shown
    chinese = language.current() is language.Language.CHINESE
    colour, sign = _COLOURS[row.tone], _SIGNS.get(row.tone, "✗")
    body: list[RenderableType] = [Text(language.sentence(verdict.sentence))]
    if row.tone is Tone.DOUBT or verdict.code is VerdictCode.NOT_ACTIVATED:
        body.append(Text(row.next.zh if chinese else f"{row.next.en}.", "bold"))
    if verdict.member is not None:
        body.append(_member_table(verdict))
    body.append(Text(_provenance(verdict), style="dim"))
    word = row.word.zh if chinese else row.word.en
    title = f"[bold]{sign} {word}  {verdict.code.value}[/]"
    return Panel(Group(*body), title=title, border_style=colour, expand=False, padding=(1, 2))


def _member_table(verdict: Verdict) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts, today = verdict.member, verdict.at.date()
    if facts is None:
        return table
    cover = f"{facts.cover_ends}" if facts.cover_ends else "–"
    if facts.cover_ends and today > facts.cover_ends:
        cover = language.text("{date}, ended", date=cover)
    rights = language.text(", ").join(
        language.text(_LEFT[e.period], benefit=e.benefit_class, left=e.left, limit=e.limit)
        for e in verdict.entitlements
    )
    for label, value in (
        ("name", facts.name),
        ("identity", language.sentence(str(facts.identity))),
        ("unit", facts.unit_name or "–"),
        (
            "category",
            language.text(facts.category.name.lower().replace("_", " ")) if facts.category is not None else "–",
        ),
        ("card", f"{facts.masked_card_number}-{facts.sequence:02d}"),
        ("valid through", str(facts.valid_through)),
        ("cover until", cover),
        ("entitlements", rights or "–"),
    ):
        table.add_row(Text(language.text(label), "dim"), Text(value))
    return table


def _provenance(verdict: Verdict) -> str:
    if verdict.hotlist_version is None or verdict.hotlist_age is None:
        hotlist = language.text("no hotlist at hand")
    else:
        hours = verdict.hotlist_age.total_seconds() / 3600
        hotlist = language.text("hotlist {version}, {hours:.1f} h old", version=verdict.hotlist_version, hours=hours)
        if not verdict.hotlist_current:
            hotlist += f", {language.text(verdict.hotlist_state.value.upper())}"
    return language.text(
        "proven: {proof}; {hotlist}; trust list {version}",
        proof=language.text(verdict.proof.value),
        hotlist=hotlist,
        version=verdict.trust_version,
    )


def unauthenticated_facts(transport: Transport) -> dict[str, Any]:
    """Everything that a card gives without authentication."""
    facts: dict[str, Any] = {"atr": transport.atr.hex().upper(), "protocol": transport.protocol.value}
    try:
        rate = Atr.parse(transport.atr).bit_rate()
        if rate:
            facts["bit_rate"] = f"{rate:,.0f} bit/s at 4 MHz"
    except CodecError as e:
        facts["atr_fault"] = str(e)
    sender = stack(transport)
    domain = SecurityDomain(sender, MemoryCustody(simulation=True), AuthenticationGuard())
    try:
        domain.select()
    except CardRefused as e:
        facts["security_domain"] = f"none: {e}"
    else:
        facts["security_domain"] = domain.name.hex().upper() or "– (the FCI does not name it)"
        _add(facts, "chip_serial", lambda: domain.chip() or "– (no production data that identify the chip)")
        _add(facts, "globalplatform", lambda: domain.recognition().version)
        _add(facts, "secure_channel", lambda: [f"SCP{p:02X} i={i:02X}" for p, i in domain.recognition().protocols])
        _add(facts, "keys", lambda: [str(key) for key in domain.key_information()])
    _add(facts, "member_application", lambda: _personalized(sender))
    if domain.remarks:
        facts["remarks"] = list(dict.fromkeys(domain.remarks))
    return facts


def _add(facts: dict[str, Any], name: str, read: Any) -> None:
    try:
        facts[name] = read()
    except (CardError, CodecError, NoMemberCard) as e:
        facts[name] = f"– ({e})"


def _personalized(sender: Sender) -> str:
    card = _member_card(sender)
    return f"{card.application.name.hex().upper()}, personalized"


def _member_card(sender: Sender) -> MemberCard:
    """The member application. Raises NoMemberCard where the card has none, or none that was personalized."""
    with _of_member_cards():
        return read_contents(sender, member_aid())


@contextmanager
def _of_member_cards() -> Iterator[None]:
    """Raises NoMemberCard where a card refuses for having no member application."""
    try:
        yield
    except CardRefused as e:
        if not has_no_application(e):
            raise
        raise NoMemberCard(f"this is no member card, or one that was never personalized ({e})") from e
