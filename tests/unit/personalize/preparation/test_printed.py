"""The texts of a card's face: from the member, the profile and, where a bank prepared it, its application."""

from __future__ import annotations

from personalize.dossiers.dossier import Dossier
from personalize.payment.printed import printed_with_account
from personalize.profiles.face import FaceSection
from personalize.profiles.profile import parse_profile
from tests.support import bank, issuer, profiles


def test_a_profile_without_a_face_prepares_no_text_and_has_the_digest_of_before() -> None:
    profile = profiles.plain()
    assert profile.face is None
    assert '"face"' not in profile.model_dump_json()
    with_face = profile.model_copy(update={"face": FaceSection(design="hebei")})
    assert with_face.digest != profile.digest


def test_a_profile_names_its_design_bank_and_digest() -> None:
    text = profiles.text().replace("face: null", "face: {design: hebei, bank: north, digest: 3fa2c9afc332ab01}")
    assert parse_profile(text, "p.yaml").face == FaceSection(design="hebei", bank="north", digest="3fa2c9afc332ab01")


def test_a_dossier_has_the_texts_of_its_face() -> None:
    profile = bank.profile().model_copy(update={"face": FaceSection(design="hebei")})
    dossier = bank.dossier(profile)
    assert dossier.face == {
        "name": "孙波磊",
        "unit": "石家庄铁道大学工会",
        "member_number": "130000000001",
        "card_number": dossier.card_number,
        "pan": bank.PAN,
        "valid_from": issuer.TODAY.isoformat(),
        "valid_until": "2036-11-30",
    }
    assert Dossier.decode(dossier.encode()) == dossier
    assert "孙波磊" not in repr(dossier)
    assert bank.dossier().face == {}


def test_a_card_that_a_bank_prepared_shows_the_bank_s_account() -> None:
    profile = bank.profile(validity_years=5).model_copy(update={"face": FaceSection(design="hebei")})
    ours = bank.dossier(bank.profile().model_copy(update={"face": FaceSection(design="hebei")}))
    of_bank = ours.with_applications(("payment",), bank.dossier(profile).of_kind("payment"))
    shown = printed_with_account(of_bank, "6210971300000000024")
    assert (shown.face["pan"], shown.face["valid_until"]) == ("6210971300000000024", "2031-11-30")
    assert {**shown.face, "pan": "", "valid_until": ""} == {**ours.face, "pan": "", "valid_until": ""}
    assert printed_with_account(bank.dossier(), "6210971300000000024").face == {}
