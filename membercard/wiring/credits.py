"""The uses of a reversed redemption, given back on the card that is in the reader of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membercard import settings
from membercard.errors import SettingsError

if TYPE_CHECKING:
    from reader_service.redemptions.counter import CounterRedemptions
    from terminal.apdu import Sender
    from terminal.member.outcome import Verdict


def gives_back(counter: CounterRedemptions, sender: Sender, verdict: Verdict) -> bool:
    """Whether the office, here or elsewhere, has booked the reversal and the card has its uses again. Where it has
    not, the row waits in the journal, or the change in the registry."""
    from membercard.wiring.http_scripts import script_issuer
    from personalize.updates import UpdateRunner
    from reader_service.redemptions.receiver import ReceiverAway, UploadRefused
    from reader_service.redemptions.uploads import Uploader
    from reader_service.services.counter.changes import DistantChanges
    from reader_service.services.redeeming.registry_receiver import RegistryReceiver
    from registry.errors import RegistryError
    from registry.members.wanted import UpdateKind
    from terminal.errors import CardError, CustodyError, TransportError

    current, place = settings.load(), counter.place
    if verdict.card is None:
        return False
    try:
        issuer = script_issuer()
        if issuer is not None and place.receiver is not None:
            Uploader(counter.journal, place.receiver, current.now).run()
            return UpdateKind.CREDIT in DistantChanges(issuer).run(sender, verdict.card).kinds
        keystore = settings.open_keystore()
        with settings.open_registry(keystore) as registry:
            Uploader(
                counter.journal,
                RegistryReceiver(registry, keystore, place.merchant, place.terminal, current.zone),
                current.now,
            ).run()
            runner = UpdateRunner(registry.updates, keystore, current.operator, current.station, current.today())
            return UpdateKind.CREDIT in runner.run(sender, verdict.card).kinds
    except (ReceiverAway, UploadRefused, RegistryError, CustodyError, CardError, TransportError, SettingsError):
        return False
