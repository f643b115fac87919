"""The design that a profile names, from the data directory, and faces drawn with the photos on record."""

from __future__ import annotations

from contextvars import copy_context
from pathlib import Path

import pytest

from membercard import settings
from membercard.wiring.faces import (
    design_of,
    face_in_words,
    face_renderer,
    refuse_unprintable_cards,
    refuse_unprintable_members,
)
from personalize.dossiers.dossier import Dossier
from personalize.errors import DesignError, FaceRefused
from personalize.profiles.face import FaceSection
from personalize.profiles.profile import Profile
from tests.support import issuer, profiles
from tests.support.faces import DESIGN, design_folder, portrait

LATIN = DESIGN.replace('"{name}"', '"{member_number}"').replace('"{unit}"', '"{valid_from}"')


def profile(**face: str) -> Profile:
    return profiles.plain().model_copy(update={"face": FaceSection(design="trial", **face)})


def test_a_design_of_the_data_directory_is_held_to_its_pinned_digest(tmp_path: Path) -> None:
    def look() -> None:
        settings.activate(None, data_dir=tmp_path)
        design_folder(tmp_path / "designs" / "trial", LATIN)
        folder = design_of(profile(bank="north"))
        assert folder is not None
        assert face_in_words(profile(bank="north")) == f"design trial, bank north, digest {folder.digest[:16]}"
        assert design_of(profile(digest=folder.digest[:12])) is not None
        with pytest.raises(DesignError, match="use the files that were signed, or have a new proof signed"):
            design_of(profile(digest="00000000"))
        assert design_of(profiles.plain()) is None
        assert face_in_words(profiles.plain()) == "none"

    copy_context().run(look)


def test_faces_are_refused_before_a_dossier_and_before_a_card_and_drawn_with_a_photo(tmp_path: Path) -> None:
    store = issuer.registry(f"sqlite:///{tmp_path}/registry.sqlite")
    batch = issuer.batch(store, 1)
    (member,) = store.photos.members(batch)
    missing = f"{member.member_number}: front photo: the member has no photo"

    def look() -> None:
        settings.activate(None, data_dir=tmp_path)
        design_folder(tmp_path / "designs" / "trial", LATIN)
        with pytest.raises(FaceRefused, match=missing):
            refuse_unprintable_members(store, profile(), batch, issuer.TODAY)
        issuer.prepare(store, batch, tmp_path, profile())
        refuse_unprintable_members(store, profile(), batch, issuer.TODAY)  # nobody waits any more
        (stored,) = store.dossiers.stored(batch)
        dossier = Dossier.decode(issuer.custody().open(stored.sealed).reveal())
        drawn = face_renderer(store, profile())
        assert drawn is not None
        with pytest.raises(FaceRefused, match=f"{stored.card_number}: front photo"):
            refuse_unprintable_cards(store, issuer.custody(), profile(), batch)
        with pytest.raises(FaceRefused, match=f"{stored.card_number}: front photo"):
            drawn(dossier)
        store.photos.store(batch, {member.member_id: portrait()})
        refuse_unprintable_cards(store, issuer.custody(), profile(), batch)
        assert drawn(dossier).front.size == (1016, 648)
        assert face_renderer(store, profiles.plain()) is None

    copy_context().run(look)
