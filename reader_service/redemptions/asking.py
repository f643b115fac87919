"""Benefits that the office counts, at an online counter: the office is asked before the member pays.

The journal has the request first, then what the office has granted, then that it was given. Where the line breaks in
between, the office is asked again with the same row of the journal, which it counts once. What was granted and not
given for ``REPEATED_FOR`` the office returns, so that it is asked again before that is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from programme.outcome import RefusalCode, Refused
from programme.wording import Sentence
from reader_service.redemptions.intents import GrantedUse, Intent, IntentResult
from reader_service.redemptions.journal import RedemptionJournal
from reader_service.redemptions.receiver import ReceiverAway, UploadFaultCode, UploadReceiver, UploadRefused
from registry.programme.grants import REPEATED_FOR, GrantRefused, GrantRequest, OnlineGrant
from terminal.member.journal_rows import JournalRow, RowKind
from terminal.member.redemption.request import RedemptionRequest

COUNTED_ONLINE = "0000"
"""The class in the request of such a use: no card is asked for it."""
_OFFLINE = Sentence(
    "由工会联网计次，目前无法连接工会；未扣次数。请检查网络，恢复后再试",
    "counted online by the union, which cannot be reached; nothing was counted. Check the line, and try again once it "
    "is back",
)
_OVER = GrantRefused(
    "given-back",
    "counted",
    None,
    "此次使用已撤销，或因未及时使用已退回，未扣次数；请重新办理",
    "This use was taken back, or returned as it was not given in time; nothing is counted, request it again",
)


@dataclass(frozen=True, slots=True)
class IssuerLine:
    """The office of a counter. ``online``: whether it was reached at the last attempt."""

    receiver: UploadReceiver
    online: Callable[[], bool]


def offline(title: Sentence, at: datetime) -> Refused:
    """The refusal of a benefit while the office is away: nothing was written."""
    sentence = Sentence(f"{title.zh}：{_OFFLINE.zh}", f"{title.en}: {_OFFLINE.en}")
    return Refused(RefusalCode.OFFLINE, "counted", at.date(), sentence)


def reach(line: IssuerLine, journal: RedemptionJournal, title: Sentence, at: datetime) -> Refused | None:
    """Whether the office answers, before anything is written: None, or the refusal of a benefit."""
    try:
        line.receiver.through(journal.name)
    except ReceiverAway:
        return offline(title, at)
    except UploadRefused as refused:
        return _turned_away(refused, at)
    return None


def ask(
    line: IssuerLine, journal: RedemptionJournal, intent: Intent, at: datetime, *, recovered: bool = False
) -> JournalRow | Refused:
    """The last row about the intent: ``given``, or ``torn`` where nobody knows whether the office has counted, as after
    an earlier request (``recovered``) to an office that does not accept this counter any more. Refused: the office has
    counted nothing, and the intent has ended. Raises JournalError, CodecError for a request of another
    version."""
    if journal.granted(intent) is None or at - intent.at > REPEATED_FOR:
        try:
            answer = line.receiver.ask(_request(journal, intent))
        except ReceiverAway:
            journal.torn(intent, at)
            return journal.last_of(intent)
        except UploadRefused as refused:
            earlier = recovered and refused.fault is not UploadFaultCode.JOURNAL  # that row is another request there
            if earlier or refused.fault is UploadFaultCode.ANSWER:
                journal.torn(intent, at)
                return journal.last_of(intent)
            journal.finish(intent, IntentResult(RowKind.REFUSED, reason=refused.fault.value), at)
            return _turned_away(refused, at)
        if isinstance(answer, GrantRefused) or answer.reversed:
            return _refused(journal, intent, answer, at)
        if journal.granted(intent) is None:
            journal.grant(intent, GrantedUse(answer.number, answer.price, answer.saved, answer.left), at)
    return journal.give(intent, at, recovered=recovered)


def _refused(journal: RedemptionJournal, intent: Intent, answer: GrantRefused | OnlineGrant, at: datetime) -> Refused:
    if isinstance(answer, OnlineGrant):
        answer = _OVER
    journal.finish(intent, IntentResult(RowKind.REFUSED, reason=answer.code), at)
    known = answer.code in set(RefusalCode)
    code = RefusalCode(answer.code) if known else RefusalCode.ISSUER
    return Refused(code, answer.rule, answer.again_on, Sentence(answer.zh, answer.en))


def _turned_away(refused: UploadRefused, at: datetime) -> Refused:
    """The office answers, and does not accept this counter: a person has to act."""
    sentence = Sentence(
        f"工会未受理本柜台的请求（{refused.fault.value}）；未扣次数。请按柜台页面“待上传”的说明处理",
        f"The union does not accept this counter ({refused.fault.value}); nothing was counted. See what the counter "
        f"page says about the upload",
    )
    return Refused(RefusalCode.ISSUER, "counted", at.date(), sentence)


def _request(journal: RedemptionJournal, intent: Intent) -> GrantRequest:
    """What the office is asked: the same values at each attempt. Raises CodecError."""
    request, details = RedemptionRequest.decode(intent.request), intent.details
    listed, edition = details.get("list"), details.get("edition", 0)
    answers = str(details.get("answers", "-"))
    return GrantRequest(
        journal=journal.name,
        intent=intent.number,
        card_number=intent.card_number,
        sequence=intent.sequence,
        merchant=request.merchant,
        terminal=request.terminal,
        benefit=str(details.get("benefit", "")),
        product=str(details.get("product", "")),
        quantity=request.quantity,
        price=request.amount,
        edition=edition if isinstance(edition, int) else 0,
        list_price=listed // request.quantity if isinstance(listed, int) else None,
        event=str(details.get("event", "")),
        place=str(details.get("place", "")),
        answers=() if answers == "-" else tuple(answers.split()),
    )
