"""Keys of texts that are put together from a prefix and a value: every value that the product has is a text."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from personalize.line.checklist import SENTENCES, CheckedThing, CheckState
from personalize.line.execute import process
from personalize.line.lanes import LaneState
from personalize.line.outcome import Bin, CardOutcome
from personalize.line.plan import NAMES
from personalize.machines.protocols import MachinePlace
from personalize.reasons import RejectCode
from programme.differences import BenefitChangeKind
from reader_service.access import passwords
from reader_service.pages import developer, shell, words
from reader_service.pages.administration import audit
from reader_service.pages.issuing import intake, progress, tiles
from reader_service.pages.issuing.machine import SUPPLY_TONES
from reader_service.pages.window import losses, registry, window
from reader_service.principal import Role
from reader_service.readers.values import ReaderState
from reader_service.redemptions.receiver import UploadFaultCode
from reader_service.redemptions.record import CounterOutcome
from reader_service.services.administration.signatures import SignatureKind
from reader_service.services.counter.fetched_lists import ListFaultCode, ListKind
from reader_service.services.counter.reading import CardApplicationKind
from reader_service.services.issuing.lane_commands import LANE_COMMANDS
from reader_service.services.redeeming.refusals import REASONS
from reader_service.services.window.cards import CARD_STEPS
from reader_service.services.window.updates import SHOWN
from registry.admin.programmes import ProposalState
from registry.batches.editing import differences
from registry.batches.editing.differences import RowChange
from registry.batches.priority import BatchPriority
from registry.batches.reviews import ChangeKind, ReviewStep
from registry.batches.row_reviews import RowMark
from registry.db.context import UNNAMED_ACTOR
from registry.db.tables import LEVELS, MOVES
from registry.handover.values import BoxStage, CardPlace
from registry.line.outcome import MISSING
from registry.members.amendments import FIELDS, AmendmentState
from registry.members.identity import CallerKind, Question
from registry.members.losses import LossChannel
from registry.members.wanted import UpdateKind, UpdateState
from registry.programme.changes import ChangeState, MerchantChangeKind
from registry.programme.finding_rows import RESOLVED
from registry.programme.findings import DECISIONS
from registry.programme.judgement import FindingKind
from registry.programme.statement import EntryKind, StatementState
from registry.ranges import RangeKind
from registry.restore import restores
from registry.values import BatchState, CardState
from terminal.emv.authentication.rsa import Signed
from terminal.member import verdict
from terminal.member.lists import HotlistState
from terminal.member.outcome import Proof, VerdictCode
from terminal.member.values import Category, Period, Sex
from tests.support.paths import ROOT

PAGES = shell.TEMPLATES.parent
COMPOSED = re.compile(
    r"""(?:\bt|\beither)\(\s*(?:f["'](?P<code>[a-z]+\.[\w.-]*)\{[^{}]*\}(?P<more>[^"']*)["']"""
    r"""|["'](?P<prefix>[a-z]+\.[\w.-]*)["']\s*~\s*[^,()~]+(?:\([^()]*\))?\s*(?:~\s*["'](?P<suffix>[\w-]+)["'])?)"""
)


def test_every_computed_key_has_a_text_in_both_languages_for_each_of_its_values() -> None:
    missing = [
        (language, text)
        for prefix, suffix in sorted(_composed())
        for value in VALUES[prefix, suffix]()
        for language in words.LANGUAGES
        if (text := f"{prefix}{value}{suffix}") not in words.words(language)
    ]
    assert missing == []


def test_the_values_of_every_computed_key_are_known() -> None:
    assert sorted(_composed() ^ VALUES.keys()) == []


@pytest.mark.parametrize("key", sorted([("station.bin.", ""), ("audit.fact-", ""), ("users.", "-text")]))
def test_computed_keys_are_collected(key: tuple[str, str]) -> None:
    assert key in _composed()


def _composed() -> set[tuple[str, str]]:
    values = set()
    for path in (*shell.TEMPLATES.rglob("*.html"), *PAGES.rglob("*.py")):
        for one in COMPOSED.finditer(path.read_text("utf-8")):
            more = one["more"] or one["suffix"] or ""
            values.add((one["code"] or one["prefix"], "" if "{" in more else more))
    return values


# Values that stand in code and not in an enumeration: read from the calls that have them.


def _calls(*names: str, room: Iterable[Path]) -> Iterator[tuple[ast.Call, ast.Module]]:
    for path in room:
        source = path.read_text("utf-8")
        if not any(f"{name}(" in source for name in names):  # much quicker than to parse it
            continue
        module = ast.parse(source)
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in names:
                yield node, module


def _strings(node: ast.expr, module: ast.Module) -> Iterator[str]:
    """The strings that an expression may be; those of a name are of every assignment to it in its module."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*_strings(node.body, module), *_strings(node.orelse, module))
    elif isinstance(node, ast.JoinedStr) and isinstance(prefix := node.values[0], ast.Constant):
        yield from (f"{prefix.value}{value}" for value in IN_ACTIONS[str(prefix.value)])
    elif isinstance(node, ast.Name):
        for one in ast.walk(module):
            targets = one.targets if isinstance(one, ast.Assign) else [getattr(one, "target", None)]
            if isinstance(one, ast.Assign | ast.AnnAssign) and one.value is not None:
                if any(isinstance(target, ast.Name) and target.id == node.id for target in targets):
                    yield from _strings(one.value, module)


IN_ACTIONS = {
    "programme.": ("refused", "cancelled"),
    "amendment.": tuple(state for state in AmendmentState if state is not AmendmentState.WAITING),
    "card.": tuple(CardState),
    "merchant.change-": ("approve", "refuse", "cancel", "look"),
    "lane.": tuple(command.name for command in LANE_COMMANDS.values() if command.audited),
    "new_": ("display", "roles", "language"),
}


@cache
def _audited() -> tuple[tuple[ast.Call, ast.expr, ast.Module], ...]:
    calls: list[tuple[ast.Call, ast.expr, ast.Module]] = []
    paths = [path for room in ("registry", "reader_service") for path in (ROOT / room).rglob("*.py")]
    for call, module in _calls("audit", "AuditEntry", room=paths):
        names = [*call.args][1 if getattr(call.func, "id", "") == "AuditEntry" else 2 :]
        if names and not isinstance(names[0], ast.Attribute):
            calls.append((call, names[0], module))
    return tuple(calls)


def actions() -> set[str]:
    values = {text for _, name, module in _audited() for text in _strings(name, module)}
    assert len(values) > 35
    return values


def facts() -> set[str]:
    values = {"origin", *(f"new_{field}" for field in IN_ACTIONS["new_"])}
    for call, _, _ in _audited():
        for word in call.keywords:
            if word.arg == "facts" and isinstance(word.value, ast.Dict):
                values |= {str(key.value) for key in word.value.keys if isinstance(key, ast.Constant)}
            elif word.arg not in (None, "facts"):
                values.add(str(word.arg))
    assert len(values) > 15
    return values


def finding_facts() -> set[str]:
    """Facts of findings; those of a merchant's journal row are written as they are."""
    room = [
        ROOT / "registry" / "programme" / name
        for name in ("judgement.py", "booking.py", "uploads/journals.py", "reversals.py")
    ]
    values = {"first", "last"}
    for call, _ in _calls("Mark", room=room):
        for one in call.args[1:]:
            if isinstance(one, ast.Dict):
                values |= {str(key.value) for key in one.keys if isinstance(key, ast.Constant)}
    assert len(values) > 8
    return values


def breaks() -> set[str]:
    calls = _calls("ChainBreak", room=[ROOT / "registry" / "db" / "audit_chain.py"])
    return {text for call, module in calls for text in _strings(call.args[1], module)}


def member_events() -> set[str]:
    rooms = list((ROOT / "registry").rglob("*.py"))
    own = {text for call, module in _calls("_record", room=rooms) for text in _strings(call.args[2], module)}
    for path in rooms:
        own |= set(re.findall(r"\"event\": \"([a-z]+)\"", path.read_text("utf-8")))
    assert len(own) > 2
    return own | {state.value for state in CardState}


def steps() -> set[str]:
    path = Path(process.__code__.co_filename)
    own = {text for call, module in _calls("_begin", room=[path]) for text in _strings(call.args[0], module)}
    return {_dashed(step) for step in (*own, *NAMES.values(), *tiles.STEPS, MISSING)}


def checks() -> set[str]:
    values = {f"{signed.label}: expiry" for signed in (Signed.ISSUER, Signed.ICC)}
    for call, module in _calls("_Decided", "_out_of_time", room=[Path(verdict.__file__)]):
        for check in call.args[3:] if isinstance(call.func, ast.Attribute) else call.args[2:3]:
            values |= {*_strings(check, module)} if not isinstance(check, ast.JoinedStr) else set()
    assert len(values) > 5
    return {_dashed(text) for text in values}


def password_faults() -> set[str]:
    module = ast.parse(Path(passwords.__file__).read_text("utf-8"))
    returned = [one.value for one in ast.walk(module) if isinstance(one, ast.Return)]
    pairs = [value.elts[0] for value in returned if isinstance(value, ast.Tuple)]
    values = {str(code.value) for code in pairs if isinstance(code, ast.Constant)}
    assert len(values) > 3
    return {f"password.{rule}" for rule in values}


def _dashed(text: str) -> str:
    return text.replace(" ", "-")


def of(values: Iterable[object]) -> Callable[[], list[str]]:
    texts = [_dashed(str(value)) for value in values]
    return lambda: texts


def redemption_outcomes() -> Iterable[str]:
    return (outcome.value.lower().replace("_", "-") for outcome in CounterOutcome)


VALUES: dict[tuple[str, str], Callable[[], Iterable[str]]] = {
    ("amendments.field-", ""): of(FIELDS),
    ("amendments.state-", ""): of(AmendmentState),
    ("audit.action-", ""): actions,
    ("audit.actor-", ""): of((UNNAMED_ACTOR, "first start", "somebody", "registry", restores.LANE)),
    ("audit.break-", ""): breaks,
    ("audit.fact-", ""): facts,
    ("audit.fault-", ""): breaks,
    ("audit.subject-", ""): of((*audit.SUBJECTS, "schedule", "losses")),
    ("audit.group-", ""): of(group[:-1] for group in audit.GROUPS),
    ("counter.benefit.", ""): of(("0101", "0201", "0301")),
    ("counter.category.", ""): of(one.name.lower() for one in Category),
    ("counter.check.", ""): checks,
    ("counter.fetch.", ""): of(ListFaultCode),
    ("counter.list.", ""): of(ListKind),
    ("counter.hotlist-", ""): of(
        state.replace(" ", "-") for state in HotlistState if state not in (HotlistState.CURRENT, HotlistState.MISSING)
    ),
    ("counter.period.", ""): of(one.name.lower() for one in Period),
    ("counter.proven.", ""): of(Proof),
    ("counter.reader-", ""): of((ReaderState.LOST, ReaderState.HUNG)),
    ("counter.update-", ""): of((*UpdateKind, "unfinished")),
    ("window.shown-", ""): of(SHOWN),
    ("window.order-", ""): of(window.ORDERS),
    ("window.state-", ""): of(UpdateState),
    ("window.what-", ""): of(UpdateKind),
    ("window.why-", ""): of(UpdateKind),
    ("counter.word.", ""): of(code.lower() for code in VerdictCode),
    ("developer.kind-", ""): of(CardApplicationKind),
    ("developer.preset-", ""): of(name for name, _ in developer.PRESETS),
    ("intake.change-", ""): of(ChangeKind),
    ("intake.range-", ""): of(RangeKind),
    ("intake.form-", ""): of(intake.FORM_NAMES),
    ("intake.only-", ""): of(intake._KINDS),
    ("editing.change-", ""): of(RowChange),
    ("editing.field-", ""): of(differences.FIELDS),
    ("editing.verdict-", ""): of(("accepted", "rejected", "unchanged", "change")),
    ("intake.state-", ""): of(("draft", *ReviewStep)),
    ("intake.step-", ""): of(ReviewStep),
    ("losses.caller-", ""): of(CallerKind),
    ("reviewing.mark-", ""): of((*RowMark, "none")),
    ("reviewing.sex-", ""): of(sex.name.lower() for sex in Sex),
    ("losses.channel-", ""): of(LossChannel),
    ("losses.only-", ""): of(("all", *losses._LISTED)),
    ("losses.question-", ""): of(Question),
    ("losses.", ""): of((*(f"channel-{one}" for one in LossChannel), *(f"caller-{one}" for one in CallerKind))),
    ("place.", ""): of(entry.name for entry in shell.PLACES),
    ("problem.conflict.", ""): of(REASONS),
    ("problem.field.", ""): password_faults,
    ("redeem.fault.", ""): of(UploadFaultCode),
    ("redeem.next.", ""): redemption_outcomes,
    ("redeem.outcome.", ""): redemption_outcomes,
    ("progress.", ""): of(("p50", "p90", "p95", "p99", "most")),
    ("progress.", "-title"): of(("days", "seconds", "lanes", "rejects", "verdicts")),
    ("progress.days-", ""): of(progress.PERIODS),
    ("reason.", ""): of((*RejectCode, MISSING)),
    ("registry.event-", ""): member_events,
    ("findings.", ""): of((*DECISIONS, RESOLVED)),
    ("findings.kind-", ""): of(FindingKind),
    ("findings.fact-", ""): finding_facts,
    ("findings.party-", ""): of(("merchant", "office")),
    ("merchants.kind-", ""): of(MerchantChangeKind),
    ("merchants.change-state-", ""): of(ChangeState),
    ("settlements.kind-", ""): of(EntryKind),
    ("settlements.state-", ""): of(StatementState),
    ("programme.state-", ""): of(ProposalState),
    ("programme.difference-", ""): of(BenefitChangeKind),
    ("packing.level-", ""): of(LEVELS),
    ("packing.move-", ""): of(MOVES),
    ("packing.place-", ""): of(CardPlace),
    ("packing.stage-", ""): of(BoxStage),
    ("registry.note-", ""): of(("read back and proven", "chip lost", restores.NOT_AT_HAND)),
    ("registry.state-", ""): of((*CardState, *registry._STATES)),
    ("registry.step-", ""): of((*CARD_STEPS, "replace")),
    ("registry.text-", ""): of((*CARD_STEPS, "replace")),
    ("role.", ""): of(Role),
    ("shell.theme-", ""): of(shell.THEMES),
    ("station.", ""): of(command.name for command in LANE_COMMANDS.values()),
    ("station.batch-state.", ""): of(BatchState),
    ("check.", ""): of(SENTENCES),
    ("check.state-", ""): of(CheckState),
    ("check.thing-", ""): of(CheckedThing),
    ("machine.supply-", ""): of(SUPPLY_TONES),
    ("machine.place-", ""): of(set(MachinePlace) - {MachinePlace.NONE, MachinePlace.UNKNOWN}),
    ("machine.counter-", ""): of(("cards", "rejected", "inserted", "since-cleaning", "cleaning", "ribbon-left")),
    ("station.bin.", ""): of(one[:1] for one in (*Bin, MISSING)),
    ("station.do.", ""): of(tiles.ALARMS),
    ("station.help.", ""): of((ReaderState.LOST, ReaderState.HUNG, ReaderState.MUTE)),
    ("station.outcome.", ""): of(CardOutcome),
    ("station.priority-", ""): of(BatchPriority),
    ("stock.", ""): of(("received", "verified", "rejected", "in-reader", "spoilt", "left", "needed")),
    ("station.reader.", ""): of(ReaderState),
    ("station.state.", ""): of(
        (*(state for state in LaneState if state is not LaneState.ENDED), "stopping", "fault", "out", "idle")
    ),
    ("station.step.", ""): steps,
    ("station.why.", ""): of(one[:1] for one in Bin),
    ("users.", ""): of(("disable", "enable")),
    ("waiting.kind-", ""): of(SignatureKind),
    ("users.", "-text"): of(("disable", "enable")),
    ("users.language-", ""): of(words.LANGUAGES),
}
"""Prefix and suffix of each computed key, and the values between them."""
