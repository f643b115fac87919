"""The payment section of a profile: defaults, faults with line and field, and what `profile check` says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from membercard import language
from membercard.commands.issuing.profile import _stripe as stripe_rows
from personalize.errors import ProfileError
from personalize.payment.linter import RULES
from personalize.profiles.payment import PaymentApplication
from personalize.profiles.profile import parse_profile, shipped_profile
from tests.support.cli import Cli
from tests.support.paths import ROOT

MINIMAL = 'profile: a\nscheme: "130000"\ncard_number: {prefix: "91561300"}\npayment:\n  pan: {prefix: "62109713"}\n'


def test_the_shipped_profile_shows_the_defaults() -> None:
    shipped, minimal = shipped_profile("union-member-bank").payment, parse_profile(MINIMAL, "minimal").payment
    assert shipped
    assert minimal
    assert shipped.model_copy(update={"pin": None, "cvm_list": minimal.cvm_list}) == minimal


def test_the_shipped_profile_names_every_field() -> None:
    text = (ROOT / "personalize/profiles/union-member-bank.yaml").read_text(encoding="utf-8")
    assert [name for name in PaymentApplication.model_fields if f"\n  {name}:" not in text] == []


@pytest.mark.parametrize(
    ("change", "row", "message"),
    [
        ("  aid: A0\n", 6, "payment.aid: an AID has 5 to 16 bytes"),
        ("  cdol1: 9F02\n", 6, "payment.cdol1"),
        ("  algorithms: des\n", 6, "payment.algorithms"),
        ("  keys:\n    option: C\n", 7, "payment.keys.option"),
        ("  chip_rsa:\n    bits: 1000\n", 7, "payment.chip_rsa.bits"),
        ("  chip_rsa:\n    crt_order: [p, p, q, dp, dq]\n", 6, "names each of"),
        ("  country: CHN\n", 6, "payment.country"),
        ("  track2_discretionary: '00000000000'\n", 4, "track 2 has room for 10"),
        ("  contactless: false\n  q_pboc: {}\n", 4, "has no use for q_pboc"),
        ("  e_cash: {authorization_code: ECC}\n", 6, "payment.e_cash.authorization_code"),
        ("  track1_discretionary: 卡\n", 6, "payment.track1_discretionary"),
        ("  stripe: {tracks: [4]}\n", 6, "payment.stripe.tracks"),
        ("  stripe: {tracks: []}\n", 6, "payment.stripe.tracks"),
        ("  stripe: {tracks: [2, 2]}\n", 6, "a track is listed twice"),
        ("  stripe: {cvv: {position: 8}}\n", 4, "stripe: track 2: 38 characters, and the track holds 37"),
        ("  stripe: {cvv: null, icvv: {position: 9}}\n", 4, "stripe: track 2: 39 characters"),
        ("  stripe: {name: latin, cvv: {track1_position: 20}}\n", 4, "stripe: track 1: 78 characters"),
        ("  stripe: {track2_discretionary: 12A}\n", 6, "payment.stripe.track2_discretionary"),
        ("  service_code: '999'\n  stripe: {}\n", 4, "the CVV would be the same"),
        ("  stripe: {}\nmember: {stripe: {}}\n", 1, "a card has one stripe"),
        ("  cvm: 00\n", 6, "payment.cvm: no such field"),
        ("  risk:\n    lower_consecutive: 256\n", 7, "payment.risk.lower_consecutive"),
        (
            "  algorithms: both\n  authentication: {static: false, dynamic: false, combined: false}\n",
            4,
            "tells them apart by its certificates",
        ),
    ],
)
def test_faults_name_file_line_and_field(change: str, row: int, message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(MINIMAL + change, "own.yaml")
    assert f"own.yaml:{row}: " in str(caught.value)
    assert message in str(caught.value)


def test_profile_check_lints_a_specimen(tmp_path: Path) -> None:
    shipped = ROOT / "personalize/profiles/union-member-bank.yaml"
    cli = Cli(tmp_path / "data")
    done = cli.run("profile", "check", str(shipped))
    assert done.status == 0
    assert f"{len(RULES)} checked on a specimen card" in done.out
    broken = tmp_path / "broken.yaml"
    text = shipped.read_text(encoding="utf-8").replace("usage_control: FF00", "usage_control: FF01")
    broken.write_text(text.replace("  ddol: 9F3704", "  ddol: 9F0206"), encoding="utf-8")
    done = cli.run("profile", "check", str(broken))
    assert done.status == 1
    assert "usage-control: " in done.err
    assert "(EMV 4.4 Book 3, C2)" in done.err
    assert "ddol-9f37: " in done.err
    assert "Traceback" not in done.err


def test_a_profile_of_before_stripes_keeps_its_digest() -> None:
    """Dossiers and chips name the profile by it."""
    assert shipped_profile("union-member").digest.startswith("51f335079a647c2bfe744ec345ce503d")
    assert shipped_profile("union-member-bank").digest.startswith("1c91e2cf1bb2ecdaf94c59bfb070203a")
    striped = parse_profile(MINIMAL + "  stripe: {}\n", "striped")
    assert striped.digest != parse_profile(MINIMAL, "minimal").digest
    assert striped.model_dump()["payment"]["stripe"]["tracks"] == (1, 2)


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ("", ()),
        ("payment:\n  pan: {prefix: '62109713'}\n", ()),
        (
            "payment:\n  pan: {prefix: '62109713'}\n  stripe: {tracks: [2, 1], icvv: null}\n",
            (
                ("magnetic stripe", "tracks 1, 2 with the account number"),
                ("verification values", "CVV pay-cvk, iCVV none"),
            ),
        ),
        (
            "member: {stripe: {number: member}}\n",
            (("magnetic stripe", "tracks 2 with the member number"),),
        ),
    ],
)
def test_profile_check_says_what_the_stripe_has(lines: str, shown: tuple[tuple[str, str], ...]) -> None:
    head, _, _ = MINIMAL.partition("payment:")
    rows = stripe_rows(parse_profile(head + lines, "own.yaml"))
    assert rows == shown
    language.choose(language.Language.CHINESE)
    try:
        assert all(re.search("[一-鿿]", language.sentence(text)) for row in rows for text in row)
    finally:
        language.choose(None)
