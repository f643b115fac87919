"""`membercard profile`: check card profiles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from membercard import output, settings
from membercard.language import sentence, text
from membercard.wiring.faces import design_of, face_in_words
from personalize.errors import ProfileError

if TYPE_CHECKING:
    from personalize.profiles.payment import PaymentApplication
    from personalize.profiles.profile import EntitlementSection, Profile

app = typer.Typer()


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A card profile (YAML).", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print every value, defaults filled in.")] = False,
) -> None:
    """Check a card profile and show its values, defaults included.

    A payment application is checked on a specimen card, made with temporary keys, as a scheme's tester would check it.
    A fault is one line: file, line, field and text; or rule, text and source. The exit code is then 1.
    """
    from personalize.profiles.profile import load_profile

    profile = load_profile(file)
    design_of(profile)  # a design that is missing, unsound, or not the pinned one, is a fault of the profile
    if profile.payment:
        from personalize.payment.linter import BatchLinter
        from personalize.preparation.specimen import specimen

        card, authorities = specimen(profile, settings.load().today())
        findings = BatchLinter(profile, authorities).lint(card)
        if findings:
            raise ProfileError("\n".join(f"{file}: {finding}" for finding in findings))
    if as_json:
        output.as_json({"file": str(file), "digest": profile.digest} | profile.model_dump(mode="json"))
        return
    output.show(_table(profile))
    output.say("{file}: the profile is sound (digest {digest})", file=file, digest=profile.digest[:16])


def _table(profile: Profile) -> Table:
    member, line = profile.member, profile.line
    pin = f"{member.pin.digits} random digits, {member.pin.tries} tries" if member.pin else "none"
    rights = [_right(entitlement) for entitlement in member.entitlements]
    rows = (
        ("scheme", profile.scheme),
        ("card numbers", f"{profile.card_number.prefix} + {profile.card_number.serial_digits} digits + Luhn"),
        ("member numbers", f"{profile.member_prefix} + {12 - len(profile.member_prefix)} digits"),
        (
            "valid for",
            f"card {profile.validity.card_years} years, membership {profile.validity.membership_years}, "
            f"cover {profile.validity.cover_years}, certificates {profile.trust.certificate_years}",
        ),
        ("member application", f"{member.aid}, version {member.version}, label {member.label!r}"),
        ("entitlements", text(", ").join(map(sentence, rights)) or "none"),
        ("activation", member.activation),
        ("PIN", pin),
        ("chip key", f"RSA {member.icc_key_bits}, exponent {member.icc_exponent}"),
        ("trust", f"RID {profile.trust.scheme_rid}, CA index {profile.trust.ca_index}"),
        ("secure channel", line.secure_channel),
        ("chips known by", ", else ".join(line.identity)),
        ("stock keys", f"{line.stock.scp02} / {line.stock.scp03}, diversification {line.stock.diversification.value}"),
        ("final keys SCP02", f"version {line.scp02.version:02X} from {line.scp02.master}"),
        ("final keys SCP03", f"version {line.scp03.version:02X} from {line.scp03.master}"),
        *_payment(profile.payment),
        *_stripe(profile),
        ("printed face", face_in_words(profile)),
    )
    table = output.table(
        text("Card profile {name}", name=profile.profile),
        ["item", "value"],
        [(text(name), sentence(value)) for name, value in rows],
    )
    table.show_header = False
    return table


def _right(entitlement: EntitlementSection) -> str:
    often = "once" if entitlement.period == "once" else f"a {entitlement.period}"
    start = f"; from {entitlement.start}" if entitlement.start else ""
    return f"{entitlement.benefit_class}: {entitlement.limit} {often}{start}{'; with PIN' if entitlement.pin else ''}"


def _stripe(profile: Profile) -> tuple[tuple[str, str], ...]:
    """What stands on the magnetic stripe; nothing for cards without one."""
    if profile.payment and (bank := profile.payment.stripe):
        cvv, icvv = (rule.key if rule else "none" for rule in (bank.cvv, bank.icvv))
        return (
            ("magnetic stripe", f"tracks {_listed(bank.tracks)} with the account number"),
            ("verification values", f"CVV {cvv}, iCVV {icvv}"),
        )
    if member := profile.member.stripe:
        return (("magnetic stripe", f"tracks {_listed(member.tracks)} with the {member.number} number"),)
    return ()


def _listed(tracks: Sequence[int]) -> str:
    return ", ".join(map(str, sorted(tracks)))


def _payment(payment: PaymentApplication | None) -> tuple[tuple[str, str], ...]:
    from personalize.payment.linter import RULES

    if payment is None:
        return (("payment application", "none"),)
    algorithms = {"rsa": "RSA and 3DES", "sm": "SM2 and SM4", "both": "RSA and 3DES, SM2 and SM4"}[payment.algorithms]
    signs = ", ".join(
        name
        for name, on in zip(
            ("SDA", "DDA", "CDA"),
            (payment.authentication.static, payment.authentication.dynamic, payment.authentication.combined),
            strict=True,
        )
        if on
    )
    digits = f"{payment.pan.prefix} + {payment.pan.serial_digits} digits + Luhn"
    return (
        ("payment application", f"{payment.aid}, label {payment.label!r}, {algorithms}"),
        ("account numbers", payment.pan.file or digits),
        ("payment authentication", signs or "none"),
        ("payment keys", f"option {payment.keys.option}, cryptogram {payment.cryptogram}"),
        ("payment trust", f"RID {payment.trust.rid}, certificates {payment.trust.certificate_years} years"),
        ("payment rules", f"{len(RULES)} checked on a specimen card"),
    )
