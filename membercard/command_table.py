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
    ADMINISTRATION = "Administration"
    SERVICE = "Service"
    DEVELOPERS = "Developers"
    PLUGINS = "Others"


@dataclass(frozen=True, slots=True)
class Listed:
    """A command or a group of commands: its module below ``membercard.commands``; empty for an entry point.

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
        "demo",
        HelpPanel.START,
        "Watch the main job: forms checked, faults listed, approved by a second person, chips personalized, read back, "
        "verified and paid with.",
        "demo",
    ),
    Listed(
        "doctor",
        "doctor",
        HelpPanel.START,
        "Check this machine: Python, PC/SC service and readers, settings, keystore, database, profile, disk.",
        "doctor",
    ),
    Listed("roster", "roster", HelpPanel.INTAKE, "Check and import registration forms (录入)."),
    Listed("batch", "batch", HelpPanel.INTAKE, "Approve, prepare and report batches (审核, 登记)."),
    Listed(
        "waiting",
        "waiting",
        HelpPanel.INTAKE,
        "List what waits for a second person (待办): drafts to approve, batches to close, tokens to consent to.",
        "waiting",
    ),
    Listed("profile", "profile", HelpPanel.ISSUING, "Check card profiles."),
    Listed("keys", "keys", HelpPanel.ISSUING, "The keystore."),
    Listed("queue", "queue", HelpPanel.ISSUING, "In which order approved batches are worked on (制卡排队)."),
    Listed("stock", "stock", HelpPanel.ISSUING, "Blank chips received and used."),
    Listed(
        "dossier", "dossier", HelpPanel.ISSUING, "What cards will be given: shown, compared, exchanged with a bank."
    ),
    Listed("perso", "perso", HelpPanel.ISSUING, "Personalize cards over one or many readers (办卡)."),
    Listed(
        "box",
        "box.commands",
        HelpPanel.ISSUING,
        "Boxes of cards: packed, handed over level by level, signed for (装箱发放).",
    ),
    Listed(
        "card", "card_updates", HelpPanel.COUNTER, "Read and verify a member card as a counter does (享受优惠服务)."
    ),
    Listed(
        "redeem",
        "redeem",
        HelpPanel.COUNTER,
        "Redeem a benefit on a member card, or show what the member can have here. Works offline.",
        "redeem",
    ),
    Listed("redemptions", "redemptions", HelpPanel.COUNTER, "The redemption journal of this counter (核销日志)."),
    Listed("lists", "lists", HelpPanel.COUNTER, "The signed lists that counters carry."),
    Listed(
        "programme",
        "programme",
        HelpPanel.COUNTER,
        "What members get for their card: programme files checked, shown and published to counters (服务方案).",
    ),
    Listed("readers", "readers", HelpPanel.COUNTER, "List and watch readers."),
    Listed("loss", "loss", HelpPanel.ADMINISTRATION, "Lost cards: hotlist, replacement, reports for the bank (挂失)."),
    Listed("amendment", "amendment", HelpPanel.ADMINISTRATION, "A member's new name or mobile number (更正)."),
    Listed("unit", "unit", HelpPanel.ADMINISTRATION, "Units, and which unit stands below which (单位)."),
    Listed("user", "user", HelpPanel.ADMINISTRATION, "People who sign in to the service."),
    Listed("audit", "audit", HelpPanel.ADMINISTRATION, "What was done, and whether the record of it is whole."),
    Listed("restore", "restore", HelpPanel.ADMINISTRATION, "After a database was restored from a backup."),
    Listed(
        "serve",
        "serve",
        HelpPanel.SERVICE,
        "Serve the readers of this machine: web pages for stations and counters, an API for programs.",
        "serve",
    ),
    Listed("emv", "emv.commands", HelpPanel.DEVELOPERS, "A payment terminal: transactions explained, and card logs."),
    Listed("gp", "gp.commands", HelpPanel.DEVELOPERS, "GlobalPlatform card management, for developers."),
    Listed("tlv", "tlv", HelpPanel.DEVELOPERS, "Card data in words, for developers."),
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
