"""What a programme changes against another one, in words: benefits, rushes, covers, claims, grants, matters and banks
that are new, changed or ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from pydantic import BaseModel

from programme.explained import explained, explained_rush
from programme.programme import Offer, Programme
from programme.sections.claims import ClaimKind
from programme.sections.explained import (
    explained_bank,
    explained_claim,
    explained_cover,
    explained_grant,
    explained_matter,
)
from programme.wording import Sentence, Wording, joined


class BenefitChangeKind(StrEnum):
    """What became of a benefit."""

    ADDED = "added"
    CHANGED = "changed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class BenefitChange:
    """A benefit that is not as before: the sentences that it has lost, and those that are new. ``benefit`` is empty for
    what the whole programme says."""

    kind: BenefitChangeKind
    benefit: str
    name: Wording
    before: tuple[Sentence, ...]
    after: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A benefit or a rush of a programme."""

    name: Wording
    rules: tuple[Sentence, ...]
    values: dict[str, Any]


def differences(old: Programme | None, new: Programme) -> list[BenefitChange]:
    """What is different, in the order of the new file; what ended comes last. Without an old one all is new. What is
    no benefit has its section before its code, such as ``rush.`` or ``claims.``."""
    before, after = {} if old is None else _parts(old), _parts(new)
    changes = [] if old is None else _head(old, new)
    for code, part in after.items():
        known = before.get(code)
        if known is None:
            changes.append(BenefitChange(BenefitChangeKind.ADDED, code, part.name, (), part.rules))
        elif set(known.rules) != set(part.rules) or known.values != part.values:
            lost = tuple(one for one in known.rules if one not in part.rules)
            gained = tuple(one for one in part.rules if one not in known.rules)
            changes.append(BenefitChange(BenefitChangeKind.CHANGED, code, part.name, lost, gained))
    for code, part in before.items():
        if code not in after:
            changes.append(BenefitChange(BenefitChangeKind.ENDED, code, part.name, part.rules, ()))
    return changes


def _parts(programme: Programme) -> dict[str, _Part]:
    parts = {
        offer.code: _Part(offer.benefit.name, _rules(programme, offer), _values(offer.benefit))
        for offer in programme.offers()
    }
    for code, rush in programme.rush.items():
        rules = (Sentence(rush.name.zh, rush.name.en), *explained_rush(rush))
        parts[f"rush.{code}"] = _Part(rush.name, rules, _values(rush))
    sections: tuple[tuple[str, Mapping[str, Any], Callable[[Any], Iterator[Sentence]]], ...] = (
        ("covers", programme.covers, explained_cover),
        ("claims", programme.claims, partial(_claim, programme)),
        ("grants", programme.grants, explained_grant),
        ("matters", programme.matters, explained_matter),
        ("payouts", {} if programme.payouts is None else programme.payouts.banks, explained_bank),
    )
    for section, entries, words in sections:
        for code, one in entries.items():
            rules = (Sentence(one.name.zh, one.name.en), *words(one))
            parts[f"{section}.{code}"] = _Part(one.name, rules, _values(one))
    return parts


def _claim(programme: Programme, kind: ClaimKind) -> Iterator[Sentence]:
    cover = None if kind.cover is None else programme.covers[kind.cover].name
    return explained_claim(kind, cover, joined(programme.documents[name] for name in kind.documents))


def _head(old: Programme, new: Programme) -> list[BenefitChange]:
    before, after = _whole(old), _whole(new)
    if before == after:
        return []
    lost = tuple(one for one in before if one not in after)
    return [
        BenefitChange(BenefitChangeKind.CHANGED, "", new.name, lost, tuple(one for one in after if one not in before))
    ]


def _whole(programme: Programme) -> Sequence[Sentence]:
    valid, federation = programme.valid, programme.federation
    return (
        Sentence(programme.name.zh, programme.name.en),
        Sentence(f"有效期 {valid.first} 至 {valid.last}", f"valid from {valid.first} through {valid.last}"),
        Sentence(f"{federation.name.zh}（{federation.division}）", f"{federation.name.en} ({federation.division})"),
        Sentence(f"服务窗口 {len(federation.windows)} 个", f"windows: {len(federation.windows)}"),
    )


def _rules(programme: Programme, offer: Offer) -> tuple[Sentence, ...]:
    """Name, class and merchants, then each rule in words."""
    benefit = offer.benefit
    kinds = joined(programme.merchant_kinds[kind] for kind in benefit.merchants)
    head = [Sentence(benefit.name.zh, benefit.name.en), Sentence(f"商户类型：{kinds.zh}", f"merchants: {kinds.en}")]
    if benefit.benefit_class is not None:
        head.append(Sentence(f"类别 {benefit.benefit_class}", f"class {benefit.benefit_class}"))
    return (*head, *explained(offer))


def _values(part: BaseModel) -> dict[str, Any]:
    return part.model_dump(mode="json", by_alias=True, exclude_defaults=True)
