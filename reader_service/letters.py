"""Who writes letters to members: the federation of the newest programme edition, with its hotline and windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from programme.editions import ProgrammeEdition
from terminal.errors import CodecError

if TYPE_CHECKING:
    from personalize.sheets.letters import LetterSender
    from registry.store import Registry


def letter_sender(registry: Registry) -> LetterSender:
    """The sender that the programme names; a plain one before the first edition, or for one that cannot be read."""
    from personalize.sheets.letters import LetterSender  # slow to import; only letters need it

    edition = registry.programme_editions.newest()
    if edition is None:
        return LetterSender()
    try:
        federation = ProgrammeEdition.on_record(edition.signed).programme.federation
    except CodecError:
        return LetterSender()
    windows = [window for window in federation.windows.values() if window.level == "city"]
    named = tuple(f"{window.name.zh} {window.name.en}" for window in windows or federation.windows.values())
    return LetterSender(federation.name.zh, federation.name.en, federation.hotline or "", named)
