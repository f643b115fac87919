"""Faces of a batch checked before a card is printed, and proofs to sign."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pypdfium2
import pytest

from personalize.dossiers.dossier import Dossier
from personalize.errors import FaceRefused
from personalize.face.check import faces_to_prepare, faces_waiting, refuse_faults
from personalize.face.files import DesignFolder, load_design
from personalize.face.proof import proof
from personalize.face.render import FaceRenderer, render
from personalize.profiles.face import FaceSection
from personalize.profiles.profile import Profile
from registry.store import Registry
from tests.support import issuer, profiles
from tests.support.faces import DESIGN, TEXTS, design_folder, portrait


@pytest.fixture
def store(tmp_path: Path) -> Registry:
    return issuer.registry(f"sqlite:///{tmp_path}/registry.sqlite")


@pytest.fixture
def profile() -> Profile:
    return profiles.plain().model_copy(update={"face": FaceSection(design="trial")})


@pytest.fixture
def folder(tmp_path: Path) -> DesignFolder:
    """A design of Latin fonts, which prints no Chinese text."""
    latin = DESIGN.replace('content: "{name}"', 'content: "{member_number}"')
    latin = latin.replace('content: "{unit}"', 'content: "{valid_from}"')
    return load_design(design_folder(tmp_path / "trial", latin))


def chinese(folder: Path) -> FaceRenderer:
    """One that prints names, of which its fonts have no character."""
    named = DESIGN.replace('content: "{unit}"', 'content: "{valid_from}"')
    return FaceRenderer(load_design(design_folder(folder, named)))


def test_members_with_a_rare_name_and_without_a_photo_are_named_before_they_are_prepared(
    store: Registry, profile: Profile, tmp_path: Path
) -> None:
    batch = issuer.batch(store, 2)
    first, second = store.photos.members(batch)
    store.photos.store(batch, {first.member_id: portrait()})
    checked = list(faces_to_prepare(store, profile, chinese(tmp_path / "named"), batch, issuer.TODAY))
    assert [one.subject for one in checked] == [f"member {first.member_number}", f"member {second.member_number}"]
    with pytest.raises(FaceRefused) as refused:
        refuse_faults(checked)
    lines = str(refused.value).splitlines()
    codes = " ".join(f"U+{ord(one):04X}" for one in dict.fromkeys(first.person.name))
    assert lines[0] == f"member {first.member_number}: front name: no font of the design has {codes}"
    assert lines[-1] == f"member {second.member_number}: front photo: the member has no photo"
    assert first.person.name not in str(refused.value)


def test_a_long_list_of_faults_is_cut(store: Registry, profile: Profile, tmp_path: Path) -> None:
    batch = issuer.batch(store, 40)
    with pytest.raises(FaceRefused) as refused:
        refuse_faults(faces_to_prepare(store, profile, chinese(tmp_path / "named"), batch, issuer.TODAY))
    lines = str(refused.value).splitlines()
    assert len(lines) == 51
    assert lines[-1] == "and 30 more findings; list them with: membercard face check"


def test_prepared_dossiers_are_checked_and_drawn_with_the_photo_on_record(
    store: Registry, profile: Profile, folder: DesignFolder, tmp_path: Path
) -> None:
    batch = issuer.prepared(store, 2, tmp_path, profile=profile)
    members, renderer = store.photos.members(batch), FaceRenderer(folder)
    store.photos.store(batch, {members[0].member_id: portrait()})
    one, two = store.dossiers.stored(batch)
    checked = list(faces_waiting(store, issuer.custody(), renderer, batch))
    assert [(each.subject, [str(finding) for finding in each.findings]) for each in checked] == [
        (f"card {one.card_number}", []),
        (f"card {two.card_number}", ["front photo: the member has no photo"]),
    ]
    store.photos.store(batch, {members[1].member_id: portrait()})
    assert refuse_faults(faces_waiting(store, issuer.custody(), renderer, batch)) == 2
    dossier = Dossier.decode(issuer.custody().open(one.sealed).reveal())
    drawn = render(dossier, renderer, store.photos.of_card(one.card_number))
    assert drawn.front.size == (1016, 648)
    assert list(faces_to_prepare(store, profile, renderer, batch, issuer.TODAY)) == []


def test_a_proof_has_the_faces_the_digest_and_two_places_to_sign(folder: DesignFolder) -> None:
    face = FaceRenderer(folder).render(TEXTS, portrait(), "card")
    document = pypdfium2.PdfDocument(
        io.BytesIO(proof(folder, [(f"specimen {n}", face) for n in range(5)], date(2026, 12, 1)))
    )
    assert len(document) == 2
    first, last = (page.get_textpage().get_text_range() for page in document)
    assert folder.digest in first
    assert "specimen 3" in first
    assert "signature and seal" not in first
    assert last.count("signature and seal") == 2
    assert sum(1 for page in document for item in page.get_objects() if isinstance(item, pypdfium2.PdfImage)) == 10
