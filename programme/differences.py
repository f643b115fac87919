"""What a programme changes against another one, in words: benefits that are new, changed or ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from programme.explained import explained
from programme.programme import Offer, Programme
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


def differences(old: Programme | None, new: Programme) -> list[BenefitChange]:
    """What is different, in the order of the new file; what ended comes last. Without an old one all is new."""
    before = {} if old is None else {offer.code: offer for offer in old.offers()}
    after = {offer.code: offer for offer in new.offers()}
    changes = [] if old is None else _head(old, new)
    for code, offer in after.items():
        if code not in before:
            changes.append(_change(BenefitChangeKind.ADDED, offer, (), _rules(new, offer)))
            continue
        old_rules, new_rules = () if old is None else _rules(old, before[code]), _rules(new, offer)
        if set(old_rules) != set(new_rules) or _values(before[code]) != _values(offer):
            lost = tuple(one for one in old_rules if one not in new_rules)
            gained = tuple(one for one in new_rules if one not in old_rules)
            changes.append(_change(BenefitChangeKind.CHANGED, offer, lost, gained))
    for code, offer in before.items():
        if old is not None and code not in after:
            changes.append(_change(BenefitChangeKind.ENDED, offer, _rules(old, offer), ()))
    return changes


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


def _values(offer: Offer) -> dict[str, Any]:
    return offer.benefit.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _change(
    kind: BenefitChangeKind, offer: Offer, before: tuple[Sentence, ...], after: tuple[Sentence, ...]
) -> BenefitChange:
    return BenefitChange(kind, offer.code, offer.benefit.name, before, after)
