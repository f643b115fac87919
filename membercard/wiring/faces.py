"""Wiring of printed faces: the design that the profile names, and the photos on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from membercard import settings
from personalize.errors import DesignError
from personalize.profiles.profile import Profile
from registry.store import Registry

if TYPE_CHECKING:
    from personalize.dossiers.dossier import Dossier
    from personalize.face.files import DesignFolder
    from personalize.machines.protocols import PrintedFace


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

    Raises DesignError, NoChineseFont; what it returns raises FaceRefused, which names the card by its number.
    """
    folder = design_of(profile)
    if folder is None:
        return None
    from personalize.face.render import FaceRenderer, render

    renderer, with_photo = FaceRenderer(folder), folder.design.has_photo

    def drawn(dossier: Dossier) -> PrintedFace:
        photo = registry.photos.of_card(dossier.card_number) if with_photo else None
        return render(dossier, renderer, photo)

    return drawn
