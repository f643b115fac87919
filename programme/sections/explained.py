"""Covers, claims, grants, matters and banks of a programme in sentences, for people who publish it."""

from __future__ import annotations

from collections.abc import Iterator

from programme.eligibility import CATEGORY_TEXTS
from programme.sections.claims import ClaimKind
from programme.sections.covers import Cover
from programme.sections.grants import GrantKind
from programme.sections.matters import MatterKind
from programme.sections.payouts import PayingBank
from programme.wording import Sentence, Wording, percent_text, yuan

_CARDS = {
    "issued": Sentence("有卡即参保", "with a card from its production on"),
    "delivered": Sentence("领卡后参保", "with a card from its hand-over on"),
    "active": Sentence("激活后参保", "with a card from its activation on"),
}
_LEVELS = {"station": "站", "district": "区", "city": "市"}


def explained_cover(cover: Cover) -> Iterator[Sentence]:
    yield Sentence(
        f"首期自 {cover.first} 起，每期 {cover.months} 个月，期前 {cover.list_days} 天编制名单",
        f"terms of {cover.months} months from {cover.first} on, listed {cover.list_days} days before",
    )
    categories = [CATEGORY_TEXTS[name] for name in cover.categories]
    yield Sentence("、".join(one.zh for one in categories), ", ".join(one.en for one in categories))
    yield _CARDS[cover.card]
    if cover.premium:
        amount = yuan(cover.premium)
        yield Sentence(f"每人每期保费 {amount} 元", f"a premium of {amount} yuan for a member and term")
    if cover.on_card:
        yield Sentence("止保日写入芯片", "chips have its last day")


def explained_claim(kind: ClaimKind, cover: Wording | None, documents: Sentence) -> Iterator[Sentence]:
    if kind.amount is not None:
        yield Sentence(f"赔付 {yuan(kind.amount)} 元", f"pays {yuan(kind.amount)} yuan")
    if kind.percent is not None and kind.cap is not None:
        part, cap = percent_text(kind.percent), yuan(kind.cap)
        yield Sentence(f"赔付损失的 {part}%，最高 {cap} 元", f"pays {part}% of the loss, {cap} yuan at most")
    for row in kind.table.values():
        yield Sentence(f"{row.name.zh} {yuan(row.amount)} 元", f"{row.name.en}: {yuan(row.amount)} yuan")
    if cover is not None:
        yield Sentence(f"须在保障期内：{cover.zh}", f"while a cover is in force: {cover.en}")
    yield Sentence(f"事件后 {kind.days} 天内申报", f"filed within {kind.days} days of the event")
    if kind.documents:
        yield Sentence(f"材料：{documents.zh}", f"documents: {documents.en}")
    if kind.death:
        yield Sentence("会员去世，付给继承人", "for a member who has died, paid to an heir")
    zh = " → ".join(_LEVELS[level] for level in kind.levels)
    yield Sentence(f"审核：{zh}", f"reviewed by {' → '.join(kind.levels)}")


def explained_grant(kind: GrantKind) -> Iterator[Sentence]:
    if kind.amount is not None:
        yield Sentence(f"每人 {yuan(kind.amount)} 元", f"{yuan(kind.amount)} yuan for each member")
    if kind.most is not None:
        yield Sentence(f"每人最高 {yuan(kind.most)} 元", f"{yuan(kind.most)} yuan for a member at most")
    for row in kind.table.values():
        yield Sentence(f"{row.name.zh} {yuan(row.amount)} 元", f"{row.name.en}: {yuan(row.amount)} yuan")
    if kind.once is not None:
        zh = {"lifetime": "终身一次", "year": "每年一次"}[kind.once]
        yield Sentence(zh, f"once a {kind.once}")
    for year, amount in sorted((kind.budget or {}).items()):
        yield Sentence(f"{year} 年预算 {yuan(amount)} 元", f"a budget of {yuan(amount)} yuan for {year}")
    if kind.categories is not None:
        categories = [CATEGORY_TEXTS[name] for name in kind.categories]
        yield Sentence("、".join(one.zh for one in categories), ", ".join(one.en for one in categories))
    if kind.on_activation:
        yield Sentence("激活即发", "for everybody whose card is activated")


def explained_matter(kind: MatterKind) -> Iterator[Sentence]:
    yield Sentence(f"{kind.days} 天内办结", f"due within {kind.days} days")


def explained_bank(bank: PayingBank) -> Iterator[Sentence]:
    yield Sentence(f"代发文件格式 {bank.form}", f"payment files of the form {bank.form}")
    if bank.accounts:
        listed = ", ".join(bank.accounts)
        yield Sentence(f"账号开头：{listed}", f"accounts that begin with {listed}")
