"""The ``payment:`` section of the card profile: the issuing bank's PBOC debit application.

Defaults and what each field means: ``profiles/union-member-bank.yaml``. What makes sense together is the linter's
affair (``personalize.payment.linter``); here is only what data preparation could not work with.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from personalize.profiles.fields import AidHex, Digits, DolHex, Hex, NumberRange, PinRule, Section, left_out
from personalize.profiles.stripe import StripeSection

Component = Literal["qinv", "dq", "dp", "q", "p"]
"""CRT components of an RSA key: q^-1 mod p, d mod (q - 1), d mod (p - 1), q, p."""

DgiHex = Annotated[Hex, Field(min_length=4, max_length=4)]
Byte = Annotated[Hex, Field(min_length=2, max_length=2)]
ActionCode = Annotated[Hex, Field(max_length=32)]
"""Five bytes; another length is what the linter tells of."""

CRT_ORDER: tuple[Component, ...] = ("qinv", "dq", "dp", "q", "p")


class PanRange(NumberRange):
    """Primary account number, tag 5A: from the bank's range, or from a file of numbers that the bank gives."""

    file: str = ""
    first_sequence: int = Field(1, ge=0, le=1)


class MastersSection(Section):
    """Issuer master keys in custody: cryptogram, script integrity, script confidentiality."""

    ac: str = "pay-ac"
    smi: str = "pay-smi"
    smc: str = "pay-smc"


class KeysSection(Section):
    """The application's symmetric keys. ``scheme_dgi`` tells the chip how they are used, where 9F10 does not."""

    option: Literal["A", "B"] = "A"
    tdes: MastersSection = MastersSection()
    sm4: MastersSection = MastersSection(ac="pay-ac-sm4", smi="pay-smi-sm4", smc="pay-smc-sm4")
    sm4_dgi: DgiHex = "8020"
    sm4_check_dgi: DgiHex = "9020"
    scheme_dgi: DgiHex = "9201"


class ChipRsa(Section):
    """The chip's RSA key and how its CRT components travel."""

    bits: int = Field(1152, ge=1024, le=1984, multiple_of=16)
    exponent: Literal[3, 65537] = 3
    crt_order: tuple[Component, ...] = CRT_ORDER

    @model_validator(mode="after")
    def _all(self) -> ChipRsa:
        if sorted(self.crt_order) != sorted(CRT_ORDER):
            raise ValueError(f"the CRT order names each of {', '.join(CRT_ORDER)} once (EMV CPS 1.1, annex A)")
        return self


class PaymentTrust(Section):
    """The chains of the payment scheme: which CA and issuer keys sign."""

    rid: Hex = Field("A000000333", min_length=10, max_length=10)
    ca_key: str = "pay-ca"
    ca_index: Byte = "01"
    issuer_key: str = "pay-issuer"
    sm_ca_key: str = "pay-ca-sm2"
    sm_ca_index: Byte = "02"
    sm_issuer_key: str = "pay-issuer-sm2"
    certificate_years: int = Field(12, ge=1, le=40)


class AuthenticationSection(Section):
    """Offline data authentication. The AIP says what is here; ``sm_key_dgi`` carries the SM2 private key."""

    static: bool = False
    dynamic: bool = True
    combined: bool = True
    data_code: Hex = Field("DAC0", min_length=4, max_length=4)
    sm_key_dgi: DgiHex = "8104"


class ActionCodes(Section):
    """Issuer action codes. EMV 4.4 Book 3, 10.7 and C5. Whatever leads the CVM list past a PIN (it is blocked, was not
    entered, has no PIN pad, or only the issuer can verify it) sends the transaction online, and declines it where that
    cannot be."""

    default: ActionCode = "DC60BCA800"
    denial: ActionCode = "0010000000"
    online: ActionCode = "DC60BCF800"


class Risk(Section):
    """The card's own limits, DGIs 0D01 and 0E01: consecutive offline transactions and amounts (minor units)."""

    lower_consecutive: int = Field(3, ge=0, le=255)
    upper_consecutive: int = Field(5, ge=0, le=255)
    international_consecutive: int = Field(2, ge=0, le=255)
    international_country_consecutive: int = Field(2, ge=0, le=255)
    cumulative: int = Field(100_000, ge=0, le=10**12 - 1)
    cumulative_upper: int = Field(200_000, ge=0, le=10**12 - 1)
    default_action: Hex = Field("C000", max_length=12)
    issuer_authentication: Byte = "80"
    terminal_velocity: bool = True


class LogSection(Section):
    """The transaction log: cyclic file and what each of its records holds."""

    sfi: int = Field(11, ge=1, le=30)
    records: int = Field(10, ge=1, le=30)
    format: DolHex = "9A039F21039F02069F03069F1A025F2A029F4E149C019F3602"


class ECash(Section):
    """The e-cash purse of PBOC: limits in minor units; a new card is empty. ``authorization_code`` is 9F74;
    ``load_log`` is DF4D and DF4F."""

    balance_limit: int = Field(100_000, ge=1, le=10**12 - 1)
    transaction_limit: int = Field(100_000, ge=1, le=10**12 - 1)
    reset_threshold: int = Field(0, ge=0, le=10**12 - 1)
    authorization_code: str = Field("ECC001", pattern=r"^ECC[0-9A-Z]{3}$")
    load_log: LogSection | None = LogSection(sfi=12, format="9A039F21039F1A029F4E149F3602")


class QPboc(Section):
    """What the card says over its antenna: an FCI and processing options of its own."""

    pdol: DolHex = "9F66049F02069F03069F1A0295055F2A029A039C019F3704"


class PaymentApplication(Section):
    """The payment application of docs/card-layout.md."""

    aid: AidHex = "A000000333010101"
    package_aid: AidHex = "A00000033301"
    module_aid: AidHex = "A000000333010101"
    label: str = Field("UNIONPAY DEBIT", min_length=1, max_length=16)
    preferred_name: str = Field("", max_length=16)
    code_table: int = Field(1, ge=1, le=10)
    priority: int = Field(1, ge=0, le=15)
    language: str = "zhen"
    contactless: bool = True
    algorithms: Literal["rsa", "sm", "both"] = "rsa"
    pan: PanRange
    validity_years: int = Field(10, ge=1, le=30)
    service_code: Digits = Field("220", min_length=3, max_length=3)
    track2_discretionary: str = Field("00000", pattern=r"^[0-9]{0,17}$")
    track1_discretionary: str = Field("", max_length=24, pattern=r"^[\x20-\x7e]*$")
    name: Literal["blank", "gb18030"] = "blank"
    long_name: Literal["extended", "both"] = "extended"
    """What holds a name of more than 26 bytes: 9F0B alone, as JR/T 0025.5 has one of both, or 9F0B with the beginning
    of the name in 5F20, as EMV allows."""
    identity: bool = False
    version: Hex = Field("0030", min_length=4, max_length=4)
    usage_control: Hex = "FF00"
    country: Digits = Field("156", min_length=3, max_length=3)
    currency: Digits = Field("156", min_length=3, max_length=3)
    currency_exponent: int = Field(2, ge=0, le=4)
    pdol: DolHex = "9F1A029F3704"
    ddol: DolHex = "9F3704"
    cdol1: DolHex = "9F02069F03069F1A0295055F2A029A039C019F37049F21039F4E14"
    cdol2: DolHex = "8A029F02069F03069F1A0295055F2A029A039C019F37049F2103"
    cvm_list: Hex = "000000000000000042031F03"
    pin: PinRule | None = None
    action_codes: ActionCodes = ActionCodes()
    authentication: AuthenticationSection = AuthenticationSection()
    issuer_authentication: bool = True
    keys: KeysSection = KeysSection()
    chip_rsa: ChipRsa = ChipRsa()
    trust: PaymentTrust = PaymentTrust()
    derivation_index: Byte = "01"
    cryptogram: Literal["pboc-des", "cvn10", "cvn17", "cvn18", "cvn22"] = "pboc-des"
    sm4_fold: Literal["xor", "left"] = "xor"
    script_mac: int = Field(4, ge=4, le=8)
    issuer_data: Hex = Field("", max_length=64)
    risk: Risk = Risk()
    e_cash: ECash | None = None
    q_pboc: QPboc | None = None
    log: LogSection | None = LogSection()
    stripe: StripeSection | None = Field(None, exclude_if=left_out)

    @property
    def chip_key(self) -> bool:
        """Whether the chip signs, and so has a key of its own."""
        return self.authentication.dynamic or self.authentication.combined

    @property
    def authenticates(self) -> bool:
        return self.chip_key or self.authentication.static

    @property
    def rsa(self) -> bool:
        return self.algorithms != "sm"

    @property
    def sm(self) -> bool:
        return self.algorithms != "rsa"

    @model_validator(mode="after")
    def _fits(self) -> PaymentApplication:
        if len(self.track2_discretionary) + self.pan.length > 29:
            # 37 digits of 19 bytes, less separator, expiry and service code. ISO/IEC 7813:2006, 4.
            raise ValueError(f"track 2 has room for {29 - self.pan.length} discretionary digits beside this PAN")
        chip = self.track1_discretionary, self.track2_discretionary
        if self.stripe and (fault := self.stripe.fits(self.pan.length, self.service_code, chip)):
            raise ValueError(f"stripe: {fault}")
        if self.algorithms == "both" and not self.authenticates:
            raise ValueError("a card with both algorithms tells them apart by its certificates: ask for authentication")
        if self.q_pboc and not self.contactless:
            raise ValueError("a card without antenna (contactless: false) has no use for q_pboc")
        return self
