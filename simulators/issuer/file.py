"""Keys and accounts of the test bank as a JSON file. The keys are in clear: for tests only.

::

    {"masters": {"3des": {"ac": HEX, "smi": HEX, "smc": HEX, "option": "A"}, "sm4": {...}},
     "pin": {"3des": HEX, "aes": HEX},
     "versions": {"01": "pboc-des"}, "fold": "xor", "mac_length": 4,
     "opening": {"prefix": "62", "balance": "1000.00", "limit": "500.00"},
     "accounts": [{"pan": "6217...", "sequence": 1, "expires": "2031-12-31", "balance": "100.00", "pin": "1234",
                   "scripts": ["pin-unblock"]}]}
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulators.cryptograms.algorithms import IssuerMasters
from simulators.cryptograms.schemes import PBOC_SM4, SCHEMES, Cipher, Fold, IssuerScheme
from simulators.issuer.accounts import AccountStatus, BankAccount, BankAccounts, OpeningRule
from simulators.issuer.host import VERSIONS, IssuerHost, IssuerKeys
from simulators.issuer.scripts import application_block, application_unblock, card_block, pin_unblock
from terminal.errors import CodecError
from terminal.secret import Secret

CHINA: Final = "Asia/Shanghai"
Key = Annotated[str, Field(pattern="^[0-9A-Fa-f]{32}$")]
Amount = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]

_SCRIPTS: Final = {
    "card-block": card_block,
    "application-block": application_block,
    "application-unblock": application_unblock,
    "pin-unblock": pin_unblock,
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)


class _Masters(_Model):
    ac: Key
    smi: Key
    smc: Key
    option: Literal["A", "B"] = "A"
    """The default of the card profile. EMV 4.4 Book 2, A1.4."""


class _PinKeys(_Model):
    tdes: Key | None = Field(None, alias="3des")
    aes: Annotated[str, Field(pattern="^([0-9A-Fa-f]{32}|[0-9A-Fa-f]{48}|[0-9A-Fa-f]{64})$")] | None = None


class _Opening(_Model):
    prefix: Annotated[str, Field(pattern="^[0-9]{1,19}$")]
    balance: Amount = Decimal(0)
    limit: Amount | None = None


class _AccountEntry(_Model):
    pan: Annotated[str, Field(pattern="^[0-9]{8,19}$")]
    sequence: Annotated[int, Field(ge=0, le=99)] = 0
    expires: date = date.max
    balance: Amount = Decimal(0)
    limit: Amount | None = None
    pin: Annotated[str, Field(pattern="^[0-9]{4,12}$")] | None = None
    status: AccountStatus = AccountStatus.OPEN
    scripts: tuple[Literal["card-block", "application-block", "application-unblock", "pin-unblock"], ...] = ()


class _Bank(_Model):
    masters: Annotated[dict[Cipher, _Masters], Field(min_length=1)]
    pin: _PinKeys = Field(default_factory=lambda: _PinKeys.model_validate({}))
    versions: dict[Annotated[str, Field(pattern="^[0-9A-Fa-f]{2}$")], str] | None = None
    fold: Fold = Fold.XOR
    mac_length: Annotated[int, Field(ge=4, le=8)] = 4
    opening: _Opening | None = None
    accounts: tuple[_AccountEntry, ...] = ()


def load_issuer(path: Path, zone: str = CHINA) -> IssuerHost:
    """The test bank of this file, whose day is that of ``zone``, an IANA name. Raises CodecError, which names the field
    without its value, and OSError."""
    try:
        bank = _Bank.model_validate_json(path.read_bytes())
    except ValidationError as faults:
        reasons = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"
            for fault in faults.errors(include_input=False, include_url=False, include_context=False)
        )
        raise CodecError(f"{path}: {reasons}") from None
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CodecError(f"there is no time zone {zone}; an IANA name is wanted, such as {CHINA}") from None
    accounts = BankAccounts(tuple(map(_account, bank.accounts)), _opening(bank.opening))
    return IssuerHost(_keys(bank, path), accounts, today=lambda: datetime.now(place).date())


def _keys(bank: _Bank, path: Path) -> IssuerKeys:
    def fitted(scheme: IssuerScheme) -> IssuerScheme:
        return replace(scheme, fold=bank.fold, mac_length=bank.mac_length)

    named = VERSIONS
    if bank.versions is not None:
        unknown = sorted(set(bank.versions.values()) - set(SCHEMES))
        if unknown:
            raise CodecError(f"{path}: versions: {', '.join(unknown)} is none of {', '.join(SCHEMES)}")
        named = {int(version, 16): SCHEMES[name] for version, name in bank.versions.items()}
    return IssuerKeys(
        {
            cipher: IssuerMasters(_secret(keys.ac), _secret(keys.smi), _secret(keys.smc), keys.option)
            for cipher, keys in bank.masters.items()
        },
        None if bank.pin.tdes is None else _secret(bank.pin.tdes),
        None if bank.pin.aes is None else _secret(bank.pin.aes),
        {version: fitted(scheme) for version, scheme in named.items()},
        fitted(PBOC_SM4),
    )


def _opening(rule: _Opening | None) -> OpeningRule | None:
    return None if rule is None else OpeningRule(rule.prefix, _cents(rule.balance), _limit(rule.limit))


def _account(entry: _AccountEntry) -> BankAccount:
    account = BankAccount(entry.pan, entry.sequence, entry.expires, _cents(entry.balance), _limit(entry.limit))
    account.status = entry.status
    account.pin = None if entry.pin is None else Secret(entry.pin.encode("ascii"))
    for name in entry.scripts:
        account.queue(_SCRIPTS[name]())
    return account


def _secret(text: str) -> Secret:
    return Secret(bytes.fromhex(text))


def _cents(amount: Decimal) -> int:
    return int(amount * 100)


def _limit(amount: Decimal | None) -> int | None:
    return None if amount is None else _cents(amount)
