"""ACK, NAK, EOT and silence: what is asked again, and what is sent once. Each conversation byte for byte."""

from __future__ import annotations

import pytest

from personalize.machines.crt571.conversation import Crt571Conversation, Unanswered
from personalize.machines.crt571.frames import MachineAnswer, MachineOrder
from personalize.machines.crt571.options import Crt571Settings
from personalize.machines.faults import MachineFaultCode
from tests.support.machines.crt571_line import ACK, EOT, NAK, ScriptedLink, framed

STATUS, MOVE = MachineOrder(0x31, 0x30), MachineOrder(0x32, 0x31)
QUESTION = bytes.fromhex("F2 00 0003 43 31 30 03 B0")
MOVING = bytes.fromhex("F2 00 0003 43 32 31 03 B2")
STATE = bytes.fromhex("F2 00 0006 50 31 30 303230 03 94")
MOVED = bytes.fromhex("F2 00 0006 50 32 31 323230 03 94")
DAMAGED = MOVED[:-1] + b"\x95"


def over(link: ScriptedLink, **options: float) -> Crt571Conversation:
    return Crt571Conversation(link, "line 1", Crt571Settings(**options), link.now)  # type: ignore[arg-type]


def test_an_order_is_acknowledged_executed_and_answered() -> None:
    link = ScriptedLink((MOVING, (ACK, 1.5, MOVED)), (ACK, ()))
    assert over(link).exchange(MOVE) == MachineAnswer(0x32, 0x31, b"220", "", b"")
    assert link.finished()
    assert link.clock == 1.5


def test_an_answer_may_come_in_pieces_and_with_noise_before_it() -> None:
    link = ScriptedLink((MOVING, (b"\x00\x06", 0.2, MOVED[:3], 0.2, MOVED[3:])), (ACK, ()))
    assert over(link).exchange(MOVE).sensors == b"220"


@pytest.mark.parametrize("damaged", [DAMAGED, MOVED[:-3], MOVED[1:], MOVED + b"\x94", MOVED[:4] + b"\x00" + MOVED[4:]])
def test_a_damaged_answer_is_requested_again(damaged: bytes) -> None:
    link = ScriptedLink((MOVING, (ACK, damaged)), (NAK, (0.1, MOVED)), (ACK, ()))
    assert over(link).exchange(MOVE).sensors == b"220"
    assert link.finished()


def test_an_answer_that_stays_damaged_is_given_up() -> None:
    link = ScriptedLink((MOVING, (ACK, DAMAGED)), (NAK, (DAMAGED,)), (NAK, (DAMAGED,)))
    with pytest.raises(
        Unanswered, match="machine line 1: the answer to command 32 31 is not readable; look at the cable"
    ):
        over(link).exchange(MOVE)
    assert link.finished()


@pytest.mark.parametrize(
    ("replies", "code", "message"),
    [
        ((), MachineFaultCode.NO_ANSWER, "command 32 31 was not acknowledged"),
        ((NAK,), MachineFaultCode.LINK, "command 32 31 was not received"),
        ((EOT,), MachineFaultCode.LINK, "command 32 31 was not received"),
        ((MOVED[:5],), MachineFaultCode.LINK, "command 32 31 was not acknowledged in a readable way"),
        ((ACK,), MachineFaultCode.NO_ANSWER, "no answer to command 32 31 within 20 s"),
        ((ACK, EOT), MachineFaultCode.LINK, "the machine left command 32 31 without an answer"),
    ],
)
def test_an_order_without_answer_is_not_sent_again(
    replies: tuple[bytes, ...], code: MachineFaultCode, message: str
) -> None:
    link = ScriptedLink((MOVING, replies))
    with pytest.raises(Unanswered, match=message) as lost:
        over(link).exchange(MOVE)
    assert lost.value.code is code


def test_an_answer_without_acknowledgement_is_not_believed() -> None:
    """It may be the one of the same command before, sent again."""
    link = ScriptedLink((MOVING, (MOVED,)), (ACK, ()))
    with pytest.raises(Unanswered):
        over(link).exchange(MOVE)
    link = ScriptedLink((MOVING, (STATE, ACK, 1.0, MOVED)), (ACK, ()), (ACK, ()))
    assert over(link).exchange(MOVE).sensors == b"220"


@pytest.mark.parametrize(
    "replies", [(), (NAK,), (ACK, 0.1, EOT), (STATE[:6],), (STATE,), (ACK, 0.1, STATE[:6])], ids=str
)
def test_a_question_is_sent_again(replies: tuple[bytes | float, ...]) -> None:
    naks = [(NAK, ())] if replies == (ACK, 0.1, STATE[:6]) else []
    acks = [(ACK, ())] if replies == (STATE,) else []
    link = ScriptedLink((QUESTION, replies), *acks, *naks, (EOT, ()), (QUESTION, (ACK, STATE)), (ACK, ()))
    assert over(link).query(STATUS).sensors == b"020"
    assert link.finished()


def test_a_question_is_given_up_in_the_end() -> None:
    link = ScriptedLink((QUESTION, ()), (EOT, ()), (QUESTION, (NAK,)))
    with pytest.raises(Unanswered, match="command 31 30 was not received"):
        over(link, tries=2).query(STATUS)


def test_after_a_lost_answer_the_machine_gets_time_and_a_question() -> None:
    link = ScriptedLink((MOVING, (2.0, MOVED)), (ACK, ()), (QUESTION, (ACK, STATE)), (ACK, ()))
    conversation = over(link)
    with pytest.raises(Unanswered):
        conversation.exchange(MOVE)
    assert conversation.query(STATUS).sensors == b"020"
    assert link.finished()


def test_after_a_lost_answer_no_order_goes_before_the_machine_answered() -> None:
    again = (QUESTION, (ACK, STATE)), (ACK, ()), (MOVING, (ACK, MOVED)), (ACK, ())
    link = ScriptedLink((MOVING, ()), *again)
    conversation = over(link)
    with pytest.raises(Unanswered):
        conversation.exchange(MOVE)
    assert conversation.exchange(MOVE).sensors == b"220"
    assert link.finished()
    assert link.clock == pytest.approx(1 + 5, abs=0.5), "it had its time to end the first move"


def test_a_slow_line_has_its_time_for_a_long_command() -> None:
    order = MachineOrder(0x51, 0x34, bytes(250))
    answer = framed("50", "51", "34", "323230", "9000")
    link = ScriptedLink((order.encode(0), (3.0, ACK, 0.1, answer)), (ACK, ()))
    assert over(link, rate=1200.0).exchange(order).data == b"\x90\x00"
    link = ScriptedLink((order.encode(0), (3.0, ACK, 0.1, answer)))
    with pytest.raises(Unanswered, match="was not acknowledged"):
        over(link).exchange(order)


def test_what_came_between_two_orders_is_dropped() -> None:
    link = ScriptedLink((MOVING, (ACK, MOVED)), (ACK, (STATE, 0.1, b"\x15")), (QUESTION, (ACK, STATE)), (ACK, ()))
    conversation = over(link)
    conversation.exchange(MOVE)
    assert conversation.query(STATUS).sensors == b"020"
    assert link.finished()
