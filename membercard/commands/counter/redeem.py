"""`membercard redeem`: a member's benefits at a merchant's counter, counted by the card and proven without a line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from membercard import language, output, settings
from membercard.commands.card_options import ReaderUrl, Wait
from membercard.commands.counter.amounts import fen
from membercard.commands.counter.card import HotlistFile, ListKey, TrustFile, judge, verdict_panel
from membercard.commands.counter.cashiers import signed_in, typed_pin
from membercard.language import Language
from membercard.wiring.advice import advice_on
from membercard.wiring.counter_lists import load_lists
from membercard.wiring.merchant import counter_redemptions, issued_receipts
from membercard.wiring.readers import card_in
from terminal.apdu import Sender, stack
from terminal.member.presentation import PRESENTATIONS, CountedAs

if TYPE_CHECKING:
    from programme.outcome import Refused
    from programme.wording import Sentence
    from reader_service.redemptions.counter import CounterRedemptions, PinRefused
    from reader_service.redemptions.offers import BenefitChoice, CounterOffer
    from reader_service.redemptions.record import CounterRecord
    from terminal.member.lists import CounterLists
    from terminal.member.outcome import Verdict

REFUSED, UNREAD, DOUBT = 1, 3, 4
_OF_VERDICT: Final = {
    CountedAs.ACCEPTED: 0,
    CountedAs.REFUSED: REFUSED,
    CountedAs.UNREAD: UNREAD,
    CountedAs.UNCHECKED: DOUBT,
}
_OF_OUTCOME: Final = {"DONE": 0, "RECOVERED": 0, "REFUSED": REFUSED, "NOT_COUNTED": REFUSED, "TORN": UNREAD}
"""Exit codes; of other outcomes it is DOUBT."""


def redeem(
    reader: ReaderUrl,
    benefit: Annotated[
        str,
        typer.Argument(
            help="What to redeem: BENEFIT, BENEFIT/PRODUCT or the class of four digits; what the member can have is "
            "shown, if none is given.",
            show_default=False,
        ),
    ] = "",
    quantity: Annotated[int, typer.Option(min=1, max=99, help="Units.")] = 1,
    price: Annotated[
        str, typer.Option(metavar="YUAN", help="The list price of one unit, where the benefit asks for it.")
    ] = "",
    event: Annotated[str, typer.Option(help="The show, where the benefit asks for it.")] = "",
    place: Annotated[str, typer.Option(help="The place of the stock, where there are several.")] = "",
    answer: Annotated[
        list[str] | None, typer.Option(metavar="QUESTION", help="A question of the benefit answered with yes.")
    ] = None,
    cashier: Annotated[
        str | None, typer.Option(help="Who redeems; the setting operator, if not given.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Redeem without asking once more.")] = False,
    trust: TrustFile = None,
    hotlist: HotlistFile = None,
    list_key: ListKey = None,
    wait: Wait = 0,
    json: output.Json = False,
) -> None:
    """Redeem a benefit on a member card, or show what the member can have here. Works offline.

    An earlier redemption of the card that got no answer is settled first. The receipt is printed after the journal has
    the result. Exit code 0 for a redemption that is proven; 1 for a card or a benefit that is refused; 3 where no
    answer came: insert the card again; 4 where nobody knows or nothing is proven.

    Example: membercard redeem park-pass --reader pcsc:0 --wait 30 --yes
    """
    lists, code = load_lists(trust, hotlist, list_key), 0
    name = signed_in(cashier)
    wanted = _Wanted(benefit, quantity, price, event, place, tuple(answer or ()), yes)
    with counter_redemptions() as counter, card_in(reader, wait) as transport:
        command = _CardAtCounter(counter, stack(transport), lists, name, json, by_files=trust is not None)
        code = command.run(wanted)
    if code:
        raise typer.Exit(code)


class _Wanted:
    """What the command line asks for."""

    def __init__(
        self, benefit: str, quantity: int, price: str, event: str, place: str, answers: tuple[str, ...], sure: bool
    ) -> None:
        self.benefit, self.quantity, self.event, self.place = benefit, quantity, event, place
        self.answers, self.sure = frozenset(answers), sure
        self.list_price = fen(price) if price else None

    def choice(self, offer: CounterOffer) -> BenefitChoice:
        from programme.facts import BenefitRequest
        from reader_service.redemptions.offers import BenefitChoice

        request = BenefitRequest(offer.product, self.quantity, self.list_price, self.event, self.place, self.answers)
        return BenefitChoice(offer.benefit, request)


class _CardAtCounter:
    """One card in the reader, from its verdict to the receipt."""

    def __init__(
        self,
        counter: CounterRedemptions,
        sender: Sender,
        lists: CounterLists,
        cashier: str,
        as_json: bool,
        *,
        by_files: bool,
    ) -> None:
        self.counter, self.sender, self.lists, self.cashier = counter, sender, lists, cashier
        self.as_json, self.by_files = as_json, by_files
        self.data: dict[str, Any] = {}

    def run(self, wanted: _Wanted) -> int:
        """The exit code."""
        code = self._run(wanted)
        if self.as_json:
            output.as_json(self.data)
        return code

    def _run(self, wanted: _Wanted) -> int:
        now, verdict = settings.load().now, judge(self.sender, self.lists)
        recovered = self.counter.recover(self.sender, verdict, now())
        if recovered is not None:
            self.data["recovered"] = recovered.to_json()
            if recovered.outcome == "TORN":
                return self._shown(recovered)
            output.say("an earlier redemption of this card is settled:", err=True)
            self._shown(recovered)
            if recovered.outcome != "NOT_COUNTED":
                verdict = judge(self.sender, self.lists)
        advice = advice_on(verdict, by_files=self.by_files)
        self.data["verdict"] = verdict.to_json() | advice.to_json()
        if not self.as_json:
            output.show(verdict_panel(verdict, advice))
        if not verdict.accepted:
            return _OF_VERDICT[PRESENTATIONS[verdict.code].counted]
        offers = self.counter.offers(verdict, now())
        self.data["offers"] = [offer.to_json() for offer in offers]
        name = wanted.benefit or self._listed(offers)
        return self._redeemed(verdict, _named(offers, name), wanted) if name else 0

    def _listed(self, offers: tuple[CounterOffer, ...]) -> str:
        """Show the offers; what a person at a terminal chooses of them, else nothing."""
        if self.as_json:
            return ""
        if not offers:
            output.say("this counter has no benefit for this member")
            return ""
        rows = [(offer.benefit_class or "–", f"{offer.benefit}/{offer.product}", *_row(offer)) for offer in offers]
        heads = ["class", "benefit", "price", "left", "decision"]
        output.show(output.table(language.text("Benefits here and now"), heads, rows))
        if not sys.stdin.isatty() or not any(offer.possible for offer in offers):
            return ""
        return str(typer.prompt(language.text("Benefit to redeem (Enter: none)"), default="", show_default=False))

    def _redeemed(self, verdict: Verdict, offer: CounterOffer, wanted: _Wanted) -> int:
        from programme.outcome import Refused
        from reader_service.redemptions.counter import PinRefused

        for document in offer.show:
            output.say("look at: {document}", err=True, document=_word(document))
        if not wanted.sure and not self.as_json:
            typer.echo(f"{_word(offer.title)} x {wanted.quantity}")
            output.confirm("Redeem it?")
        pin = typed_pin("PIN of the card") if offer.pin else None
        at = settings.load().now()
        result = self.counter.redeem(self.sender, verdict, wanted.choice(offer), at, cashier=self.cashier, pin=pin)
        if isinstance(result, Refused):
            return self._refused(result)
        if isinstance(result, PinRefused):
            return self._wrong_pin(result)
        self.data["redemption"] = result.to_json()
        return self._shown(result)

    def _refused(self, refused: Refused) -> int:
        again = refused.again_on and refused.again_on.isoformat()
        self.data["refused"] = {"code": str(refused.code), "again_on": again, "sentence": _both(refused.sentence)}
        if not self.as_json:
            typer.echo(_word(refused.sentence))
        return REFUSED

    def _wrong_pin(self, refused: PinRefused) -> int:
        self.data["refused"] = {"code": "wrong-pin", "tries_left": refused.tries_left}
        if not self.as_json:
            if refused.tries_left:
                output.say("the PIN is wrong; tries left: {count}", count=refused.tries_left)
            else:
                output.say("the PIN of the card is blocked: the member has it unblocked at a window")
        return REFUSED

    def _shown(self, record: CounterRecord) -> int:
        """Print the receipt; the exit code."""
        if not self.as_json:
            from reader_service.redemptions.receipt import receipt_text

            typer.echo(receipt_text(record, self.counter.place.name, language.current().value), nl=False)
            issued_receipts().note(record)
            if record.reasons:
                output.say("reason: {reason}", reason=", ".join(map(_reason, record.reasons)))
        return _OF_OUTCOME.get(record.outcome.value, DOUBT)


def _named(offers: tuple[CounterOffer, ...], wanted: str) -> CounterOffer:
    """The offer with that name, else that class. Raises BadParameter."""
    benefit, _, product = wanted.strip().partition("/")
    matching = [
        offer for offer in offers if benefit in (offer.benefit, offer.benefit_class) and product in ("", offer.product)
    ]
    if len(matching) == 1:
        return matching[0]
    names = ", ".join(f"{offer.benefit}/{offer.product}" for offer in matching or offers)
    if matching:
        raise typer.BadParameter(language.text("{wanted} has several products: {names}", wanted=wanted, names=names))
    raise typer.BadParameter(
        language.text("there is no benefit {wanted} at this counter; it has {names}", wanted=wanted, names=names or "–")
    )


def _row(offer: CounterOffer) -> tuple[str, str, str]:
    from programme.outcome import Allowed
    from programme.wording import yuan

    decision = offer.decision
    price = yuan(decision.price) if isinstance(decision, Allowed) else "–"
    left = "–" if offer.left is None else str(offer.left)
    return price, left, _word(decision.sentence)


def _reason(name: str) -> str:
    """A flag of the card in words; a failed check as it is."""
    from terminal.member.cvr import CvrFlag
    from terminal.member.redemption.presentation import REFUSALS

    flag = CvrFlag.__members__.get(name)
    return language.sentence(name) if flag is None else _word(REFUSALS[flag].word)


def _word(sentence: Any) -> str:
    """A text with ``zh`` and ``en`` in the language of the command."""
    return str(sentence.zh if language.current() is Language.CHINESE else sentence.en)


def _both(sentence: Sentence) -> dict[str, str]:
    return {"zh": sentence.zh, "en": sentence.en}
