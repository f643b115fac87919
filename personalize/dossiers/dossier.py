"""The dossier: everything that is written to one card, as a value that can be stored, printed and compared.

Secrets are key references or sealed bytes, never clear. Personal data are clear, so the registry stores dossiers
sealed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pydantic_core import to_json

from personalize.errors import DossierError
from terminal.keys import Algorithm, ApplicationKeys, CardKeys, Diversification, KeyRef, Sealed, SealedKeys

SecretValue = ApplicationKeys | SealedKeys | CardKeys | Sealed
_SecretT = TypeVar("_SecretT", bound=SecretValue)

MEMBER, PAYMENT, DIRECTORY = "member", "payment", "directory"
"""Kinds of applications. What prepares and checks each is in ``personalize.applications``."""

FORMAT = 3
_FIRST_FORMAT, _CHIP_ONLY = 1, 2
"""Still read, no longer written: a field for each kind instead of a list, and dossiers without stripe and face."""
_OPTIONS: tuple[list[Any], ...] = ([], [None], ["A"], ["B"])
"""What may follow application keys: the derivation option, which the first dossiers did not have."""


@dataclass(frozen=True, slots=True)
class DossierPart:
    """One data grouping: DGI number and value. A secret value is wrapped under the session DEK when it is sent, with
    ISO/IEC 9797-1 method 2 padding if ``padded``."""

    number: int
    value: bytes | SecretValue
    padded: bool = False

    @property
    def secret(self) -> bool:
        return not isinstance(self.value, bytes)

    def __repr__(self) -> str:
        """Number and size or key check values only: plain values may be personal data."""
        return f"<DGI {self.number:04X}, {self.describe()}>"

    def describe(self) -> str:
        """The value as a printed plan shows it: a length, or key check values."""
        if isinstance(self.value, bytes):
            return f"{len(self.value)} bytes"
        if isinstance(self.value, Sealed):
            return f"sealed, {len(self.value.blob) - 28} bytes"
        return "keys, KCV " + " ".join(k.hex().upper() for k in self.value.kcvs)


@dataclass(frozen=True, slots=True)
class DossierApplication:
    """One application instance to install and personalize. ``kind`` names its row of ``personalize.applications``."""

    kind: str
    package_aid: bytes
    module_aid: bytes
    instance_aid: bytes
    parts: tuple[DossierPart, ...]

    def plain(self, dgi: int) -> bytes:
        """The clear value of a DGI. Raises DossierError when it is absent or secret."""
        for part in self.parts:
            if part.number == dgi and isinstance(part.value, bytes):
                return part.value
        raise DossierError(f"the dossier has no plain DGI {dgi:04X}")

    def secret(self, dgi: int, of: type[_SecretT]) -> _SecretT:
        """The secret value of a DGI. Raises DossierError when it is absent or of another type."""
        for part in self.parts:
            if part.number == dgi and isinstance(part.value, of):
                return part.value
        raise DossierError(f"the dossier has no secret DGI {dgi:04X} of type {of.__name__}")

    def records(self) -> dict[tuple[int, int], bytes]:
        """Clear records by (SFI, record number): DGIs 01xx to 1Exx. EMV CPS 1.1, 4.2."""
        return {
            (part.number >> 8, part.number & 0xFF): part.value
            for part in self.parts
            if 0x0101 <= part.number <= 0x1EFF and isinstance(part.value, bytes)
        }


@dataclass(frozen=True, slots=True)
class Dossier:
    """One card. ``applications`` stand in the order of the line: directories last, so that no terminal finds an
    application that is not complete."""

    card_number: str
    sequence: int
    applications: tuple[DossierApplication, ...]
    stripe: tuple[str, str, str] = ("", "", "")
    """Text of tracks 1, 2 and 3 without sentinels; empty tracks are not written."""
    face: Mapping[str, str] = field(default_factory=dict)
    """Text of the fields of the card's face, by the name of the field; empty: nothing is printed."""

    @property
    def context(self) -> str:
        return f"dossier/{self.card_number}/{self.sequence}"

    def of_kind(self, kind: str) -> tuple[DossierApplication, ...]:
        return tuple(application for application in self.applications if application.kind == kind)

    @property
    def member(self) -> DossierApplication:
        """The member application. Raises DossierError when there is none."""
        for application in self.of_kind(MEMBER):
            return application
        raise DossierError("the dossier has no member application")

    @property
    def payment(self) -> DossierApplication | None:
        return next(iter(self.of_kind(PAYMENT)), None)

    @property
    def directories(self) -> tuple[DossierApplication, ...]:
        """PSE and PPSE, which list the payment application."""
        return self.of_kind(DIRECTORY)

    def with_applications(self, kinds: Collection[str], applications: Iterable[DossierApplication]) -> Dossier:
        """The same dossier with these applications, last, instead of all of these kinds."""
        others = (application for application in self.applications if application.kind not in kinds)
        return replace(self, applications=(*others, *applications))

    def __repr__(self) -> str:
        groups = sum(len(application.parts) for application in self.applications)
        return f"<Dossier {self.card_number}-{self.sequence:02d}, {groups} DGIs>"

    def encode(self) -> bytes:
        """Compact JSON with binary as hex. Raises nothing; ``decode`` gives the equal dossier."""
        return to_json(
            {
                "format": FORMAT,
                "card_number": self.card_number,
                "sequence": self.sequence,
                "applications": [_application(application) for application in self.applications],
                "stripe": self.stripe,
                "face": dict(self.face),
            },
            bytes_mode="hex",
        )

    @classmethod
    def decode(cls, raw: bytes) -> Dossier:
        """Raises DossierError when the bytes are not a dossier of a known format."""
        try:
            data = json.loads(raw)
            if data["format"] not in (FORMAT, _CHIP_ONLY, _FIRST_FORMAT):
                raise DossierError(f"a dossier of format {data['format']}; this program knows format {FORMAT}")
            listed = _listed_by_kind(data) if data["format"] == _FIRST_FORMAT else data["applications"]
            applications = tuple(map(_read_application, listed))
            if data["format"] != FORMAT:
                return cls(data["card_number"], data["sequence"], applications)
            track1, track2, track3 = (str(track) for track in data["stripe"])
            face = {str(name): str(text) for name, text in data["face"].items()}
            return cls(data["card_number"], data["sequence"], applications, (track1, track2, track3), face)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DossierError("the bytes are no dossier, or a damaged one") from None


def _listed_by_kind(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The applications of the first format, which had a field for each kind. It also repeated two values of the member
    application."""
    listed = [data["member"] | {"kind": MEMBER}]
    if data["payment"]:
        listed.append(data["payment"] | {"kind": PAYMENT})
    return [*listed, *(directory | {"kind": DIRECTORY} for directory in data.get("directories", ()))]


def _application(application: DossierApplication) -> dict[str, Any]:
    return {
        "kind": application.kind,
        "aids": [application.package_aid, application.module_aid, application.instance_aid],
        "parts": [
            [p.number, p.value if isinstance(p.value, bytes) else _value(p.value), p.padded] for p in application.parts
        ],
    }


def _read_application(data: dict[str, Any]) -> DossierApplication:
    package, module, instance = (bytes.fromhex(a) for a in data["aids"])
    parts = tuple(DossierPart(number, _read_value(value), padded) for number, value, padded in data["parts"])
    return DossierApplication(str(data["kind"]), package, module, instance, parts)


def _value(value: SecretValue) -> list[Any]:
    match value:
        case Sealed(key, blob, context):
            return ["sealed", key.name, key.version, blob, context]
        case SealedKeys(sealed, algorithm, kcvs):
            return ["keys", _value(sealed), algorithm.value, kcvs]
        case ApplicationKeys(masters, pan, sequence, kcvs, option):
            return ["application", [[m.name, m.version] for m in masters], pan, sequence, kcvs, option]
        case CardKeys(master, method, data, version, kcvs):
            return ["card", master.name, master.version, method.value, data, version, kcvs]


def _read_value(data: str | list[Any]) -> bytes | SecretValue:
    if isinstance(data, str):
        return bytes.fromhex(data)
    match data:
        case ["sealed", name, version, blob, context]:
            return Sealed(KeyRef(name, version), bytes.fromhex(blob), context)
        case ["keys", sealed, algorithm, kcvs] if isinstance(inner := _read_value(sealed), Sealed):
            return SealedKeys(inner, Algorithm(algorithm), _three(kcvs))
        case ["application", [[n1, v1], [n2, v2], [n3, v3]], pan, sequence, kcvs, *rest] if rest in _OPTIONS:
            masters = KeyRef(n1, v1), KeyRef(n2, v2), KeyRef(n3, v3)
            return ApplicationKeys(masters, pan, sequence, _three(kcvs), *rest)
        case ["card", name, version, method, key_data, key_version, kcvs]:
            return CardKeys(
                KeyRef(name, version), Diversification(method), bytes.fromhex(key_data), key_version, _three(kcvs)
            )
    raise ValueError("unknown value kind")


def _three(values: Sequence[str]) -> tuple[bytes, bytes, bytes]:
    a, b, c = (bytes.fromhex(v) for v in values)
    return a, b, c
