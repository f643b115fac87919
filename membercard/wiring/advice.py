"""What the command line has at hand beside a card that is not activated: the issuer's registry and the programme."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from membercard import settings
from membercard.wiring.counter_lists import TRUST
from terminal.errors import MembercardError
from terminal.member.outcome import VerdictCode
from terminal.member.presentation import Advice

if TYPE_CHECKING:
    from programme.programme import Federation
    from registry.store import Registry
    from terminal.member.outcome import Verdict


def advice_on(verdict: Verdict, *, by_files: bool = False) -> Advice:
    """How the verdict is shown by what is here. ``by_files``: the lists are named files, as at a counter without a
    registry."""
    if verdict.code is not VerdictCode.NOT_ACTIVATED:
        return Advice.of(verdict.code)
    from reader_service.services.counter.advice import advise  # slow to import, and rarely needed

    with ExitStack() as stack:

        def registry() -> Registry | None:
            if by_files or (settings.load().data_dir / TRUST).exists():
                return None
            try:
                return stack.enter_context(settings.open_registry(settings.open_keystore()))
            except MembercardError:
                return None

        return advise(verdict, registry, _federation)


def _federation() -> Federation | None:
    from membercard.wiring.programme_edition import counter_edition

    try:
        return counter_edition().programme.federation
    except (MembercardError, OSError):
        return None
