"""`membercard profile`: check card profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from membercard import output
from personalize.profile import Profile, load_profile

app = typer.Typer()


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A card profile (YAML).", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print every value, defaults filled in.")] = False,
) -> None:
    """Check a card profile and show what it means, defaults filled in.

    A fault is one line: file, line, field, what is wrong. Exit code 1 then.
    """
    profile = load_profile(file)
    if as_json:
        output.as_json({"file": str(file), "digest": profile.digest} | profile.model_dump(mode="json"))
        return
    output.show(_table(profile))
    typer.echo(f"{file}: the profile is sound (digest {profile.digest[:16]})")


def _table(profile: Profile) -> Table:
    member, line = profile.member, profile.line
    pin = f"{member.pin.digits} random digits, {member.pin.tries} tries" if member.pin else "none"
    rights = ", ".join(f"{e.benefit_class}: {e.limit} a {e.period}" for e in member.entitlements) or "none"
    rows = (
        ("scheme", profile.scheme),
        ("card numbers", f"{profile.card_number.prefix} + {profile.card_number.serial_digits} digits + Luhn"),
        (
            "valid for",
            f"card {profile.validity.card_years} years, membership {profile.validity.membership_years}, "
            f"cover {profile.validity.cover_years}, certificates {profile.trust.certificate_years}",
        ),
        ("member application", f"{member.aid}, version {member.version}, label {member.label!r}"),
        ("entitlements", rights),
        ("PIN", pin),
        ("chip key", f"RSA {member.icc_key_bits}, exponent {member.icc_exponent}"),
        ("trust", f"RID {profile.trust.scheme_rid}, CA index {profile.trust.ca_index}"),
        ("secure channel", line.secure_channel),
        ("stock keys", f"{line.stock.scp02} / {line.stock.scp03}, diversification {line.stock.diversification.value}"),
        ("final keys SCP02", f"version {line.scp02.version:02X} from {line.scp02.master}"),
        ("final keys SCP03", f"version {line.scp03.version:02X} from {line.scp03.master}"),
        ("payment application", "none"),
    )
    table = output.table(f"Card profile {profile.profile}", ["what", "value"], rows)
    table.show_header = False
    return table
