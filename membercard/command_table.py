"""The commands by job, with where each is and its help: the root's help and completion import no command for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_PLUGINS: Final = "membercard.commands"
"""Entry points of command groups: of this project, and of other packages."""


class HelpPanel(StrEnum):
    """Whose work a command is: a panel of the root's help."""

    START = "Getting started"
    INTAKE = "Intake"
    ISSUING = "Issuing"
    COUNTER = "Counter"
    WELFARE = "Welfare"
    ADMINISTRATION = "Administration"
    SERVICE = "Service"
    DEVELOPERS = "Developers"
    PLUGINS = "Others"


@dataclass(frozen=True, slots=True)
class Listed:
    """A command or a group of commands: its module below ``membercard.commands``, in the room of its panel; empty for
    an entry point.

    ``function`` names a single command in the module; a group's module has an ``app``.
    """

    name: str
    module: str
    panel: HelpPanel
    help: str
    function: str = ""

    def load(self) -> Any:
        """The group as a Typer, or the function of a single command."""
        if not self.module:
            return next(_plugins(self.name)).load()
        return getattr(import_module(f"membercard.commands.{self.module}"), self.function or "app")


TABLE: Final = (
    Listed(
        "demo",
        "start.demo",
        HelpPanel.START,
        "Watch the main job: forms checked, faults listed, approved by a second person, chips personalized and read "
        "back, cards handed over, activated, verified, paid with and used for benefits, and the merchant's statement.",
        "demo",
    ),
    Listed(
        "doctor",
        "start.doctor",
        HelpPanel.START,
        "Check this machine: Python, PC/SC service and readers, settings, keystore, database, profile, disk.",
        "doctor",
    ),
    Listed("roster", "intake.roster", HelpPanel.INTAKE, "Check and import registration forms."),
    Listed("batch", "intake.editing", HelpPanel.INTAKE, "Approve, prepare and report batches."),
    Listed(
        "waiting",
        "intake.waiting",
        HelpPanel.INTAKE,
        "List what waits for a second person: drafts to approve, batches to close, tokens to consent to.",
        "waiting",
    ),
    Listed("profile", "issuing.profile", HelpPanel.ISSUING, "Check card profiles."),
    Listed("keys", "issuing.keys", HelpPanel.ISSUING, "The keystore."),
    Listed("queue", "issuing.queue", HelpPanel.ISSUING, "In which order approved batches are worked on."),
    Listed("stock", "issuing.stock", HelpPanel.ISSUING, "Blank chips received and used."),
    Listed(
        "dossier",
        "issuing.dossier",
        HelpPanel.ISSUING,
        "What cards will be given: shown, compared, exchanged with a bank.",
    ),
    Listed("face", "issuing.face", HelpPanel.ISSUING, "The printed face: card designs, proofs, and members' photos."),
    Listed(
        "machine",
        "issuing.machine",
        HelpPanel.ISSUING,
        "Card issuing machines and card printers: state, moves, a test card.",
    ),
    Listed("perso", "issuing.perso", HelpPanel.ISSUING, "Personalize cards over one or many readers."),
    Listed(
        "box",
        "issuing.box.commands",
        HelpPanel.ISSUING,
        "Boxes of cards: packed, handed over level by level, signed for.",
    ),
    Listed("mailers", "issuing.mailers", HelpPanel.ISSUING, "Letters with the PINs of cards, each printed once."),
    Listed(
        "card",
        "counter.card_rights",
        HelpPanel.COUNTER,
        "Read and verify a member card as a counter does.",
    ),
    Listed(
        "redeem",
        "counter.redeem",
        HelpPanel.COUNTER,
        "Redeem a benefit on a member card, or show what the member can have here. Works offline.",
        "redeem",
    ),
    Listed("redemptions", "counter.redemptions", HelpPanel.COUNTER, "The redemption journal of this counter."),
    Listed("cashiers", "counter.cashiers", HelpPanel.COUNTER, "The cashiers of this counter and their PINs."),
    Listed("lists", "counter.lists", HelpPanel.COUNTER, "The signed lists that counters carry."),
    Listed(
        "programme",
        "counter.programme_editions",
        HelpPanel.COUNTER,
        "What members get for their card: programme files checked, shown and published to counters.",
    ),
    Listed("readers", "counter.readers", HelpPanel.COUNTER, "List and watch readers."),
    Listed(
        "rush",
        "welfare.rush",
        HelpPanel.WELFARE,
        "Limited tickets, first come first served: announced, claimed at a window, returned; waiting lists.",
    ),
    Listed(
        "ecard",
        "welfare.ecard",
        HelpPanel.WELFARE,
        "E-cards on telephones: one-time codes, their end, lists for counters, and verification without a network.",
    ),
    Listed(
        "matter",
        "welfare.matter",
        HelpPanel.WELFARE,
        "Matters at windows and the hotline: opened, handed up and down, closed; what a window sees of a member.",
    ),
    Listed(
        "cover",
        "welfare.cover",
        HelpPanel.WELFARE,
        "Covers: lists of changes under two signatures, and who is covered on a day.",
    ),
    Listed(
        "claim",
        "welfare.claim",
        HelpPanel.WELFARE,
        "Claims: filed for one event, reviewed level by level, and paid once.",
    ),
    Listed(
        "grant",
        "welfare.grant",
        HelpPanel.WELFARE,
        "Grants: lists with findings, within a budget, paid once.",
    ),
    Listed(
        "figures",
        "welfare.figures",
        HelpPanel.WELFARE,
        "Figures of a year: cards against members, benefits by month, claims, grants, matters.",
    ),
    Listed(
        "payout",
        "welfare.payout",
        HelpPanel.WELFARE,
        "Payouts: instructions, bank batches under two signatures, returns of the banks.",
    ),
    Listed(
        "loss",
        "administration.loss",
        HelpPanel.ADMINISTRATION,
        "Lost cards: hotlist, replacement, reports for the bank.",
    ),
    Listed(
        "amendment",
        "administration.amendment",
        HelpPanel.ADMINISTRATION,
        "A member's new name or mobile number.",
    ),
    Listed(
        "merchant",
        "administration.merchant",
        HelpPanel.ADMINISTRATION,
        "Merchants of the programme: outlets, terminals, import from a sheet, tokens of their counters.",
    ),
    Listed(
        "settlement",
        "administration.settlement",
        HelpPanel.ADMINISTRATION,
        "Settlement with merchants: rates, statements by month under two signatures, disputes.",
    ),
    Listed(
        "findings",
        "administration.findings",
        HelpPanel.ADMINISTRATION,
        "What is wrong with uploaded redemptions: the work list, decisions, and booking again.",
    ),
    Listed("unit", "administration.unit", HelpPanel.ADMINISTRATION, "Units, and which unit stands below which."),
    Listed("user", "administration.user", HelpPanel.ADMINISTRATION, "People who sign in to the service."),
    Listed(
        "audit",
        "administration.audit",
        HelpPanel.ADMINISTRATION,
        "What was done, and whether the record of it is whole.",
    ),
    Listed(
        "restore", "administration.restore", HelpPanel.ADMINISTRATION, "After a database was restored from a backup."
    ),
    Listed(
        "serve",
        "service.serve",
        HelpPanel.SERVICE,
        "Serve the readers of this machine: web pages for stations and counters, an API for programs.",
        "serve",
    ),
    Listed(
        "emv",
        "developers.emv.commands",
        HelpPanel.DEVELOPERS,
        "A payment terminal: transactions explained, and card logs.",
    ),
    Listed("gp", "developers.gp.commands", HelpPanel.DEVELOPERS, "GlobalPlatform card management, for developers."),
    Listed("tlv", "developers.tlv", HelpPanel.DEVELOPERS, "Card data in words, for developers."),
    Listed(
        "sim",
        "",
        HelpPanel.DEVELOPERS,
        "Virtual cards: a small card operating system with the member application, in files and in reader slots.",
    ),
)


def listed() -> Iterator[Listed]:
    """The table, without plugins that are not installed, then the groups of other packages; those are imported for
    their help."""
    installed = {entry.name: entry for entry in _plugins()}
    for row in TABLE:
        if row.module or installed.pop(row.name, None) is not None:
            yield row
    for name, entry in installed.items():
        yield Listed(name, "", HelpPanel.PLUGINS, str(entry.load().info.help or ""))


def find(name: str) -> Listed | None:
    """The command of this name, if there is one."""
    for row in TABLE:
        if row.name == name and row.module:
            return row
    return next((row for row in listed() if row.name == name), None)


def _plugins(name: str | None = None) -> Iterator[EntryPoint]:
    from importlib.metadata import entry_points  # a counter's command does without

    chosen = entry_points(group=_PLUGINS)
    return iter(chosen if name is None else chosen.select(name=name))
