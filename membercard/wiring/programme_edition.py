"""The programme edition of this counter: its signed file in the data directory, never older than one used before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from membercard import settings
from membercard.errors import SettingsError
from membercard.wiring.counter_lists import LIST_KEY, read_key
from membercard.wiring.seen_lists import FOLDER, SeenLists

if TYPE_CHECKING:
    from programme.editions import ProgrammeEdition
    from registry.store import Registry

PROGRAMME: Final = "programme.json"
"""The file in the folder that counters are given."""
EDITION: Final = "programme edition"
"""The kind of a signed list that this file is (``programme.editions``)."""


def counter_edition(current: settings.Settings | None = None) -> ProgrammeEdition:
    """The edition of this counter, by the settings in force if none are given: a thread of its own has none.

    Raises SettingsError where there is none, IntegrityError for one that is not signed by the list key, ListOutdated
    for one that is not in force, older than one used before, or where the clock was set back, CodecError, OSError.
    """
    from programme.editions import ProgrammeEdition  # slow to import, and not needed where there is no edition

    current = current or settings.load()
    folder, at = current.data_dir, current.now()
    path = folder / PROGRAMME
    try:
        file = path.read_bytes()
    except FileNotFoundError:
        raise SettingsError(
            f"there is no programme at {folder}: copy {PROGRAMME} and {LIST_KEY} there, which the issuer makes with "
            "membercard programme export DIRECTORY; or name a file"
        ) from None
    except OSError as e:
        raise SettingsError(f"cannot read {path}: {e.strerror}") from e
    key = read_key(Path(folder / LIST_KEY))
    edition = ProgrammeEdition.load(file, key, at=at)
    SeenLists(folder / FOLDER).accept_programme(edition.issue, key, at, file)
    return edition


def published_edition(registry: Registry) -> ProgrammeEdition:
    """The newest edition that the union has published, as its own registry has it. Raises SettingsError where none was
    published, CodecError for one that this program does not know."""
    from programme.editions import ProgrammeEdition  # slow to import

    newest = registry.programme_editions.newest()
    if newest is None:
        raise SettingsError("no programme was published yet; see membercard programme propose")
    return ProgrammeEdition.on_record(newest.signed)
