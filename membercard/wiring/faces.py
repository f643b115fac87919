"""Wiring of printed faces: the design that the profile names, and the photos on record."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, Final

from membercard import settings
from personalize.errors import DesignError
from personalize.profiles.profile import Profile
from terminal.keys import KeyCustody

if TYPE_CHECKING:
    from personalize.dossiers.dossier import Dossier
    from personalize.face.files import DesignFolder
    from personalize.face.render import FaceRenderer
    from personalize.machines.protocols import PrintedFace
    from registry.store import Registry

NO_DESIGN: Final = "the profile in use names no card design"


def design_of(profile: Profile) -> DesignFolder | None:
    """The design that a profile names, from ``designs`` in the data directory or of those shipped, with the marks of
    its bank; None where nothing is printed. Raises DesignError, also for another digest than the profile pins."""
    from personalize.face.files import find_design  # draws, and most profiles print nothing

    wanted = profile.face
    if wanted is None:
        return None
    folder = find_design(wanted.design, settings.load().data_dir / "designs").for_bank(wanted.bank)
    if not folder.digest.startswith(wanted.digest):
        raise DesignError(
            f"the design {folder.name} has the digest {folder.digest[:16]}, and the profile pins {wanted.digest}: "
            "use the files that were signed, or have a new proof signed"
        )
    return folder


def face_renderer(registry: Registry, profile: Profile) -> Callable[[Dossier], PrintedFace] | None:
    """Draws the faces of dossiers with the photos on record; None where nothing is printed. Usable from many threads.

    What it returns opens the design for its first dossier and raises DesignError, NoChineseFont, and FaceRefused, which
    names the card by its number.
    """
    if profile.face is None:
        return None
    lock, opened = threading.Lock(), list["FaceRenderer"]()

    def drawn(dossier: Dossier) -> PrintedFace:
        from personalize.face.render import render

        with lock:
            if not opened:
                opened.append(draw_design(profile))
        photo = registry.photos.of_card(dossier.card_number) if opened[0].folder.design.has_photo else None
        return render(dossier, opened[0], photo)

    return drawn


def refuse_unprintable_members(registry: Registry, profile: Profile, batch_id: str, today: date) -> None:
    """Check the faces of members who need a dossier, before one is made. Raises FaceRefused with those that cannot be
    printed, DesignError, NoChineseFont."""
    if profile.face is not None and registry.batches.batch(batch_id).to_prepare:
        from personalize.face.check import faces_to_prepare, refuse_faults

        refuse_faults(faces_to_prepare(registry, profile, draw_design(profile), batch_id, today))


def refuse_unprintable_cards(registry: Registry, custody: KeyCustody, profile: Profile, batch_id: str) -> None:
    """Check the faces of all dossiers that no chip has yet. Raises FaceRefused with those that cannot be printed,
    DesignError, NoChineseFont."""
    if profile.face is not None:
        from personalize.face.check import faces_waiting, refuse_faults

        refuse_faults(faces_waiting(registry, custody, draw_design(profile), batch_id))


def face_in_words(profile: Profile) -> str:
    """The design with its bank and the beginning of its digest, which the profile may pin. Raises DesignError."""
    folder = design_of(profile)
    if folder is None:
        return "none"
    marks = f", bank {folder.bank}" if folder.bank else ""
    return f"design {folder.name}{marks}, digest {folder.digest[:16]}"


def check_faces(registry: Registry, custody: KeyCustody, profile: Profile, batch_id: str, most: int) -> int:
    """Check the faces of so many waiting dossiers at most; their number. Raises FaceRefused, DesignError,
    NoChineseFont."""
    from personalize.face.check import faces_waiting, refuse_faults

    return refuse_faults(islice(faces_waiting(registry, custody, draw_design(profile), batch_id), most))


def draw_design(profile: Profile) -> FaceRenderer:
    """What draws faces of this profile, its backgrounds drawn. Raises DesignError, NoChineseFont."""
    from personalize.face.render import FaceRenderer

    folder = design_of(profile)
    if folder is None:
        raise DesignError(NO_DESIGN)
    return FaceRenderer(folder)
