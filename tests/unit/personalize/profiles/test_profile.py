"""Card profiles: what is accepted, and how faults are reported."""

from datetime import date
from pathlib import Path

import pytest
from stdnum import luhn

from personalize.encoding import years_after
from personalize.errors import ProfileError
from personalize.profiles.profile import default_profile, load_profile, parse_profile, shipped_profile
from terminal.keys import Diversification, Scp
from tests.support import profiles
from tests.support.paths import ROOT

MINIMAL = 'profile: a\nscheme: "130000"\ncard_number: {prefix: "91561300"}\n'


def test_the_shipped_profile_shows_the_defaults() -> None:
    shipped, minimal = default_profile(), parse_profile(MINIMAL, "minimal")
    own: dict[str, object] = {"pin": None, "entitlements": (), "activation": "none"}
    assert shipped.member.model_copy(update=own | {"cvm_list": minimal.member.cvm_list}) == minimal.member
    assert shipped.line == minimal.line
    assert shipped.trust == minimal.trust
    assert shipped.validity == minimal.validity


@pytest.mark.parametrize("serial", [0, 1, 42, 9_999_999_999])
def test_card_numbers_have_19_digits_and_a_luhn_digit(serial: int) -> None:
    number = default_profile().card_number.number(serial)
    assert len(number) == 19
    assert luhn.is_valid(number)


def test_card_numbers_run_out_with_a_sentence() -> None:
    with pytest.raises(ProfileError, match="used up"):
        default_profile().card_number.number(10**10)


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        ("member: {ddol: 9F0206}", 4, "unpredictable number"),
        ("member: {pdol: 9F}", 4, "pdol"),
        ("member: {aid: F0}", 4, "5 to 16 bytes"),
        ("member:\n  label: ''", 5, "label"),
        ("membr: {}", 4, "no such field"),
        ("member:\n  pin: {digits: 3}", 5, "digits"),
        ("member:\n  entitlements:\n    - {benefit_class: '01', limit: 1}", 6, "benefit_class"),
        ("member:\n  entitlements:\n    - {benefit_class: '0101', limit: 1, pin: true}", 4, "and the card has none"),
        ("member:\n  entitlements:\n    - {benefit_class: '0101', limit: 1, start: 2026-01-29}", 6, "1 to 28"),
        ("member:\n  entitlements:\n    - {benefit_class: '0101', limit: 1, start: 2050-01-01}", 6, "start"),
        ("member:\n  entitlements:\n    - {benefit_class: '0101', limit: 1, period: week}", 6, "period"),
        ("member: {activation: later}", 4, "activation"),
        ("trust: {certificate_years: 3}", 1, "expire before"),
        ("member: {cvm_list: '000000000000000041031F03'}", 4, "exactly if"),
        ("member:\n  pin: {tries: 3}", 4, "exactly if"),
        ("line:\n  scp03:\n    master: x\n    diversification: magic\n    version: 1", 7, "diversification"),
    ],
)
def test_faults_name_file_line_and_field(change: str, line: int, message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(MINIMAL + change, "own.yaml")
    assert f"own.yaml:{line}: " in str(caught.value)
    assert message in str(caught.value)


def test_every_fault_is_reported_at_once() -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile("profile: A B\nscheme: x\n", "own.yaml")
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xfe", "not UTF-8"), (b"a: [", "not YAML"), (b"- 1", "mapping"), (b"", "mapping")],
)
def test_files_that_are_no_profile(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(content)
    with pytest.raises(ProfileError, match=message):
        load_profile(path)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot read the card profile"):
        load_profile(tmp_path / "none.yaml")


def test_the_digest_changes_with_a_value_and_not_with_the_layout() -> None:
    assert parse_profile(MINIMAL, "a").digest == parse_profile("# note\n" + MINIMAL, "b").digest
    assert parse_profile(MINIMAL, "a").digest != parse_profile(MINIMAL.replace("130000", "110000"), "a").digest


def test_leap_days_end_on_28_february() -> None:
    assert years_after(date(2024, 2, 29), 1) == date(2025, 2, 28)


def test_stock_masters_come_from_key_data() -> None:
    stock = parse_profile(
        MINIMAL
        + "line: {stock: {suppliers: [{key_data: A1, master: a}, {key_data: A1B2, master: b, diversification: kdf3}]}}",
        "own.yaml",
    ).line.stock
    assert stock.master_of(Scp.SCP03, bytes.fromhex("A1B2" + "00" * 8)) == ("b", Diversification.KDF3)
    assert stock.master_of(Scp.SCP02, bytes.fromhex("A1" + "00" * 9)) == ("a", Diversification.NONE)
    assert stock.master_of(Scp.SCP02, bytes(10)) == ("kmc", Diversification.NONE)
    assert stock.master_of(Scp.SCP03, bytes(10)) == ("kmc-aes", Diversification.NONE)


def test_a_field_missing_in_an_empty_entry_is_a_sentence() -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(MINIMAL + "member:\n  entitlements: [{}]", "own.yaml")
    assert "own.yaml:5: member.entitlements.0.benefit_class: this field is required" in str(caught.value)


def test_an_entitlement_that_is_used_once_may_start_on_any_day() -> None:
    entry = "{benefit_class: '0101', limit: 1, period: once, start: 2026-12-31}"
    (entitlement,) = parse_profile(MINIMAL + f"member:\n  entitlements: [{entry}]", "own.yaml").member.entitlements
    assert (entitlement.period, entitlement.start, entitlement.pin) == ("once", date(2026, 12, 31), False)


def test_thirty_entitlements_fit_a_card_and_one_more_does_not() -> None:
    entries = [f"{{benefit_class: '{number:04d}', limit: 1}}" for number in range(31)]
    parsed = parse_profile(MINIMAL + f"member:\n  entitlements: [{', '.join(entries[:30])}]", "own.yaml")
    assert len(parsed.member.entitlements) == 30
    with pytest.raises(ProfileError, match="at most 30"):
        parse_profile(MINIMAL + f"member:\n  entitlements: [{', '.join(entries)}]", "own.yaml")


def test_every_shipped_profile_asks_for_activation() -> None:
    shipped = sorted(path.stem for path in (ROOT / "personalize" / "profiles").glob("*.yaml"))
    assert shipped == ["union-member", "union-member-bank"]
    assert [shipped_profile(name).member.activation for name in shipped] == ["required", "required"]


def test_a_profile_of_yesterday_which_has_no_line_for_it_asks_for_no_activation() -> None:
    without = default_profile().member.model_copy(update={"activation": "none"})
    assert load_profile(profiles.FILE) == default_profile().model_copy(update={"member": without})
    for name in (profiles.MEMBER, profiles.BANK):
        lines = profiles.shipped_text(name).splitlines(keepends=True)
        earlier = "".join(line for line in lines if "activation: required" not in line)
        assert parse_profile(earlier, "earlier.yaml") == profiles.plain(name)
