"""The card profile: what all cards of one issue have in common. A YAML file; faults are reported with line numbers.

Defaults are those of the shipped profile ``union-member.yaml``, which documents each field.
"""

from __future__ import annotations

import functools
import hashlib
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from personalize.errors import ProfileError
from personalize.profiles.face import FaceSection
from personalize.profiles.fields import AidHex, DolHex, Hex, NumberRange, PinRule, Section, left_out
from personalize.profiles.payment import PaymentApplication
from personalize.profiles.stripe import MemberStripe
from registry.ranges import member_prefix
from terminal.emv.data.tags import TAG_9F37_UNPREDICTABLE_NUMBER
from terminal.emv.transaction import yamlfile
from terminal.errors import CodecError
from terminal.globalplatform import IdentitySource
from terminal.keys import Diversification, Scp
from terminal.tlv import Dol

_PLAIN_PIN = 0x01
"""CVM code: plaintext PIN verification by the card; bit 40 lets the next rule follow a failure. EMV 4.4 Book 3, C3."""


class CardNumberRange(NumberRange):
    """Member card number, tag 5A."""


class MemberNumberRange(Section):
    """Member number, DF21: prefix and serial, 12 digits together. Without a prefix, that of the scheme's default."""

    prefix: str = Field("", pattern=r"^([0-9]{2,11})?$")


class Validity(Section):
    """Validity periods, in years from the day of preparation."""

    card_years: int = Field(10, ge=1, le=30)
    membership_years: int = Field(5, ge=1, le=30)
    cover_years: int = Field(1, ge=0, le=10)


class EntitlementSection(Section):
    """One entry of DF28.

    ``start`` is the first day of the first period; without it, the first day of the calendar period in which the card
    is prepared. ``pin``: a redemption demands the PIN of the card.
    """

    benefit_class: str = Field(pattern=r"^[0-9]{4}$")
    limit: int = Field(ge=1, le=255)
    period: Literal["day", "month", "quarter", "year", "once"] = "year"
    start: date | None = Field(None, ge=date(2000, 1, 1), le=date(2049, 12, 31))
    pin: bool = False

    @model_validator(mode="after")
    def _every_month(self) -> EntitlementSection:
        if self.start is not None and self.period in ("month", "quarter", "year") and self.start.day > 28:
            raise ValueError("a period of months starts on a day that every month has, 1 to 28")
        return self


class MemberApplication(Section):
    """The union member application of docs/card-layout.md."""

    aid: AidHex = "F04D454D4245520101"
    package_aid: AidHex = "F04D454D424552"
    module_aid: AidHex = "F04D454D4245520101"
    label: str = Field("UNION MEMBER", min_length=1, max_length=16, pattern=r"^[\x20-\x7e]+$")
    language: str = Field("zh", pattern=r"^([a-z]{2}){1,4}$")
    version: Hex = Field("0101", min_length=4, max_length=4)
    usage_control: Hex = Field("FFC0", min_length=4, max_length=4)
    pdol: DolHex = "9F1A029F3704"
    ddol: DolHex = "9F3704"
    cdol1: DolHex = "9F02069F1A025F2A029A039F21039C019F37049F1C089F160FDF3102DF32019505"
    cdol2: DolHex = "8A0291109505"
    cvm_list: Hex = "00000000000000001F03"
    entitlements: tuple[EntitlementSection, ...] = Field((), max_length=30)
    activation: Literal["none", "required"] = "none"
    pin: PinRule | None = None
    static_signature: bool = False
    icc_key_bits: int = Field(1152, ge=1024, le=1408, multiple_of=16)
    icc_exponent: Literal[3, 65537] = 3
    read_key_version: int = Field(0x40, ge=1, le=0x7F)
    stripe: MemberStripe | None = Field(None, exclude_if=left_out)

    @model_validator(mode="after")
    def _complete(self) -> MemberApplication:
        if TAG_9F37_UNPREDICTABLE_NUMBER not in [entry.tag for entry in Dol.parse(bytes.fromhex(self.ddol))]:
            raise ValueError("the DDOL must ask for 9F37, the unpredictable number (EMV 4.4 Book 2, 6.5.1)")
        cvm = bytes.fromhex(self.cvm_list)
        if len(cvm) < 10 or len(cvm) % 2:
            raise ValueError("a CVM list has two amounts of 4 bytes and at least one rule of 2 (EMV 4.4 Book 3, 10.5)")
        if (self.pin is not None) != any(rule & 0x3F == _PLAIN_PIN for rule in cvm[8::2]):
            raise ValueError(
                "a card has a PIN exactly if its CVM list has a rule for plaintext PIN (01 or 41; EMV 4.4 Book 3, C3)"
            )
        classes = [e.benefit_class for e in self.entitlements]
        if len(set(classes)) < len(classes):
            raise ValueError("a benefit class is listed twice")
        if self.pin is None and any(e.pin for e in self.entitlements):
            raise ValueError("an entitlement demands the PIN, and the card has none")
        return self


class SupplierBatch(Section):
    """Blank chips with their own master key: those whose key data (INITIALIZE UPDATE, 10 bytes) start like this."""

    key_data: Hex = Field(min_length=2, max_length=20)
    master: str
    diversification: Diversification = Diversification.NONE


class StockKeys(Section):
    """Master keys of blank chips: by supplier batch from the chip's key data, else by secure channel protocol."""

    scp02: str = "kmc"
    scp03: str = "kmc-aes"
    diversification: Diversification = Diversification.NONE
    suppliers: tuple[SupplierBatch, ...] = ()

    def master_of(self, scp: Scp, key_data: bytes) -> tuple[str, Diversification]:
        """Master key and diversification of a blank chip; the longest matching key data wins."""
        fits = [s for s in self.suppliers if key_data.startswith(bytes.fromhex(s.key_data))]
        if fits:
            best = max(fits, key=lambda supplier: len(supplier.key_data))
            return best.master, best.diversification
        return (self.scp02 if scp is Scp.SCP02 else self.scp03), self.diversification


class FinalKeys(Section):
    """The issuer's key set that replaces the stock keys."""

    master: str
    diversification: Diversification
    version: int = Field(ge=1, le=0x7F)


class LineSection(Section):
    """Keys and secure channel of the personalization line, and what identifies a chip: the first source that says
    something."""

    secure_channel: Literal["c-mac", "c-mac c-enc", "c-mac c-enc r-mac", "c-mac c-enc r-mac r-enc"] = "c-mac c-enc"
    stock: StockKeys = StockKeys()
    scp02: FinalKeys = FinalKeys(master="imk-card", diversification=Diversification.EMV_CPS, version=0x20)
    scp03: FinalKeys = FinalKeys(master="imk-card-aes", diversification=Diversification.KDF3, version=0x31)
    identity: tuple[IdentitySource, ...] = Field((IdentitySource.CPLC,), min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> LineSection:
        if len(set(self.identity)) < len(self.identity):
            raise ValueError("a source of the identity is listed twice")
        return self

    def final_keys(self, scp: Scp) -> FinalKeys:
        """The final key set of chips that speak this protocol."""
        return self.scp02 if scp is Scp.SCP02 else self.scp03


class Trust(Section):
    """The RSA chain: scheme CA and issuer keys, and the content of their certificates."""

    scheme_rid: Hex = Field("F04D454D42", min_length=10, max_length=10)
    ca_key: str = "scheme-ca"
    ca_index: Hex = Field("01", min_length=2, max_length=2)
    issuer_key: str = "issuer"
    certificate_years: int = Field(12, ge=1, le=40)


class Profile(Section):
    """A card profile."""

    profile: str = Field(min_length=1, max_length=40, pattern=r"^[a-z0-9][a-z0-9-]*$")
    scheme: str = Field(pattern=r"^[0-9]{6}$")
    card_number: CardNumberRange
    member_number: MemberNumberRange = MemberNumberRange()
    validity: Validity = Validity()
    member: MemberApplication = MemberApplication()
    line: LineSection = LineSection()
    trust: Trust = Trust()
    payment: PaymentApplication | None = None
    face: FaceSection | None = Field(None, exclude_if=left_out)

    @model_validator(mode="after")
    def _dates(self) -> Profile:
        if self.trust.certificate_years < self.validity.card_years:
            raise ValueError(
                f"certificates of {self.trust.certificate_years} years expire before cards of "
                f"{self.validity.card_years} years (EMV 4.4 Book 2, 6.3: an expired certificate fails the card)"
            )
        return self

    @model_validator(mode="after")
    def _members(self) -> Profile:
        prefix = self.member_number.prefix
        if not (self.scheme.startswith(prefix) or prefix.startswith(self.scheme)):
            raise ValueError(f"member numbers of scheme {self.scheme} begin with its digits, not with {prefix}")
        return self

    @model_validator(mode="after")
    def _one_stripe(self) -> Profile:
        if self.member.stripe and self.payment and self.payment.stripe:
            raise ValueError("a card has one stripe: it is in member.stripe or in payment.stripe")
        return self

    @property
    def member_prefix(self) -> str:
        """The prefix of member numbers."""
        return self.member_number.prefix or member_prefix(self.scheme)

    @property
    def digest(self) -> str:
        """SHA-256 of the profile's values: equal digests mean equal cards."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def default_profile() -> Profile:
    """The profile shipped with the program: the member application alone."""
    return shipped_profile("union-member")


@functools.cache
def shipped_profile(name: str) -> Profile:
    """A profile shipped with the program: ``union-member``, or ``union-member-bank`` with a payment application."""
    path = files("personalize") / "profiles" / f"{name}.yaml"
    return parse_profile(path.read_text(encoding="utf-8"), f"profiles/{name}.yaml")


def load_profile(path: Path) -> Profile:
    """Read and check a profile file. Raises ProfileError with one line for each fault, naming file and line."""
    try:
        text = yamlfile.read_text(path, "card profile")
    except CodecError as e:
        raise ProfileError(str(e)) from e
    return parse_profile(text, str(path))


@functools.lru_cache(maxsize=16)
def parse_profile(text: str, name: str) -> Profile:
    """Check profile text; ``name`` stands before each line number in the messages. Raises ProfileError."""
    try:
        return yamlfile.parse_model(Profile, text, name, "card profile")
    except CodecError as e:
        raise ProfileError(str(e)) from e
