"""Claims of a programme as the registry files them: what a kind pays for what happened."""

from __future__ import annotations

from programme.errors import NotInProgramme
from programme.programme import Programme
from programme.sections.claims import ClaimKind
from programme.wording import Sentence, yuan
from registry.claims.values import ClaimFacts, ClaimTerms

_WHOLE = 10_000


def claim_kind(programme: Programme, code: str) -> ClaimKind:
    """Raises NotInProgramme."""
    if code not in programme.claims:
        listed = ", ".join(programme.claims) or "none"
        raise NotInProgramme(f"there is no kind of claim {code} in the programme; it has {listed}")
    return programme.claims[code]


def claim_terms(programme: Programme, code: str, facts: ClaimFacts) -> ClaimTerms | Sentence:
    """A claim of that kind with the amount that its rule gives; a sentence where the facts do not decide it. Raises
    NotInProgramme."""
    kind = claim_kind(programme, code)
    amount = claim_amount(kind, facts)
    if isinstance(amount, Sentence):
        return amount
    return ClaimTerms(
        kind=code,
        event=kind.event or code,
        amount=amount,
        cover=kind.cover,
        documents=kind.documents,
        days=kind.days,
        death=kind.death,
        medical=kind.medical,
        levels=kind.levels,
        purpose="理赔" if kind.medical else kind.name.zh,
        rules=kind.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    )


def claim_amount(kind: ClaimKind, facts: ClaimFacts) -> int | Sentence:
    """What a kind of claim pays for these facts, in fen, a part of a fen rounded half up; a sentence where they do not
    decide it."""
    if (facts.choice is None) is bool(kind.table):
        if not kind.table:
            return Sentence("此类理赔没有等级表", "this kind of claim has no table to choose from")
        listed = [f"{code} {row.name.zh} {yuan(row.amount)}" for code, row in kind.table.items()]
        return Sentence(f"请选择：{'；'.join(listed)}", f"choose one of {', '.join(kind.table)}")
    if (facts.loss is None) is (kind.percent is not None):
        if kind.percent is None:
            return Sentence("此类理赔不按损失计算", "this kind of claim does not depend on a loss")
        return Sentence("请写明损失金额", "say what the loss comes to")
    if facts.choice is not None:
        if facts.choice not in kind.table:
            return Sentence(
                f"表中没有 {facts.choice}；有 {'、'.join(kind.table)}",
                f"the table has no {facts.choice}; it has {', '.join(kind.table)}",
            )
        return kind.table[facts.choice].amount
    if facts.loss is not None and kind.percent is not None and kind.cap is not None:
        part = min(kind.cap, (facts.loss * kind.percent + _WHOLE // 2) // _WHOLE)
        return part if part > 0 else Sentence("损失金额太小，没有可付金额", "the loss is too small: nothing is paid")
    return kind.amount or Sentence("没有可付金额", "nothing is paid")
