"""Changes of cards at counters elsewhere: docs/redemption.md, Changes at a distant counter."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field

from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, RequestModel, problems
from reader_service.services.counter.changes import CardChallenge, IssuedScript
from registry.members.wanted import UpdateKind

router = Resource(prefix="/card-changes", tags=["programme"], responses=problems(*ALWAYS))

_NO_OUTLET = ("conflict", "this needs a token of an outlet: an administrator issues one")
_NOT_PROVEN = (
    "conflict",
    "this card did not prove itself over a number of the last minute: nothing runs on it from here",
)
_ROLE = "Role: counter, with a token of an outlet."
Ticket = Annotated[str, Field(pattern=r"^[0-9]{1,12}$", examples=["1796040000"])]
"""What came with the number."""
Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})+$", examples=["01"])]


class CardRequest(RequestModel):
    """A card that a counter has just verified."""

    card_number: str = Field(pattern=r"^[0-9]{13,19}$", examples=["6212260000000000012"])
    sequence: int = Field(ge=0, le=99, examples=[1])


class ScriptRequest(CardRequest):
    """The card's proof over the number that came with the ticket."""

    ticket: Ticket
    presence: Hex = Field(max_length=16_384, description="The proof of the card, as docs/redemption.md has it.")


class OutcomeRequest(CardRequest):
    """The card's proof of what ran, over the number that came with the script."""

    script: int = Field(ge=1, lt=2**62, examples=[7], description="The number of the script.")
    ticket: Ticket
    evidence: Hex = Field(max_length=2048, description="The AAC of the card, as docs/redemption.md has it.")


class WaitingResponse(BaseModel):
    """Whether a change of any card waits."""

    waiting: bool


class ChallengeResponse(BaseModel):
    """Whether anything waits for this card; then the number (hex) over which it proves itself within a minute."""

    waiting: bool
    challenge: str = ""
    ticket: str = ""

    @classmethod
    def of(cls, drawn: CardChallenge) -> Self:
        return cls(waiting=drawn.waiting, challenge=drawn.challenge.hex(), ticket=drawn.ticket)


class ScriptResponse(BaseModel):
    """`done` is on the chip now. `script` (hex) is to be run, empty where there is none; the card proves its outcome
    over `challenge`. `unfinished`: the next insertion goes on."""

    done: list[UpdateKind]
    script: str = ""
    number: int = 0
    challenge: str = ""
    ticket: str = ""
    unfinished: bool = False

    @classmethod
    def of(cls, issued: IssuedScript) -> Self:
        return cls(
            done=list(issued.done),
            script=issued.script.hex(),
            number=issued.number,
            challenge=issued.challenge.challenge.hex(),
            ticket=issued.challenge.ticket,
            unfinished=issued.unfinished,
        )


@router.get(
    "",
    summary="Get whether changes of cards wait",
    description=f"For a counter before cards come: while none waits, it has nothing to send. {_ROLE}",
    responses=problems(409, s409=_NO_OUTLET),
)
def waiting(service: Svc, caller: Caller) -> WaitingResponse:
    return WaitingResponse(waiting=service.distant.waiting(caller))


@router.post(
    "/challenge",
    summary="Get a number for a card to prove itself over",
    description="Answers `waiting: false` where nothing waits for this card that a distant counter may run: changes of "
    f"a PIN and of the last date run at a window only. {_ROLE}",
    responses=problems(409, s409=_NO_OUTLET),
)
def challenge(service: Svc, caller: Caller, card: CardRequest) -> ChallengeResponse:
    return ChallengeResponse.of(service.distant.challenge(caller, card.card_number, card.sequence))


@router.post(
    "/script",
    summary="Get the script for a card that proves itself",
    description="The script is on record before it is answered, and the proof is worth nothing from then on. "
    f"Wrong proofs are audited, and many of them close this to the outlet for a while. {_ROLE}",
    responses=problems(409, 429, s409=_NOT_PROVEN),
)
def script(service: Svc, caller: Caller, proof: ScriptRequest) -> ScriptResponse:
    presence = bytes.fromhex(proof.presence)
    return ScriptResponse.of(service.distant.script(caller, proof.card_number, proof.sequence, proof.ticket, presence))


@router.post(
    "/outcome",
    summary="Record what ran of a script",
    description="Counts only what the card's cryptogram proves. Repeated, it changes nothing; without it, the next "
    f"insertion anywhere finishes the script. {_ROLE}",
    responses=problems(409, 429, s409=_NOT_PROVEN),
)
def outcome(service: Svc, caller: Caller, proof: OutcomeRequest) -> ScriptResponse:
    evidence = bytes.fromhex(proof.evidence)
    return ScriptResponse.of(
        service.distant.outcome(caller, proof.card_number, proof.sequence, proof.script, proof.ticket, evidence)
    )
