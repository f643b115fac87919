"""STORE DATA for an application: blocks in order, DGIs across blocks, secret DGIs decrypted.

GPC 2.3.1, 7.3.3 and 11.11; EMV Card Personalization Specification 1.1, 4.3.
"""

from __future__ import annotations

from collections.abc import Callable

from simulators.card.applet import Refuse
from simulators.card.content import Instance
from simulators.card.security_domain.storedata import Encryption, StoreDataP1, Structure
from simulators.card.system import System
from terminal.apdu import Command
from terminal.errors import TlvError
from terminal.tlv import dgi


class Personalization:
    """Personalization of one instance. Block 0 starts it; after a failed block only block 0 is accepted.

    Raises Refuse: 6985 for an instance that is already personalized.
    """

    def __init__(self, system: System, instance: Instance) -> None:
        if instance.personalized:
            raise Refuse(0x6985)
        self.aid = instance.aid
        self._system = system
        self._blocks = 0
        self._secret = False
        self._stream = dgi.Stream()
        self._begun = False

    def abort(self) -> None:
        self._blocks = 0
        self._begun = False

    def store_data(self, command: Command, decrypt: Callable[[bytes], bytes]) -> bytes:
        """One block of DGIs, plain or under the session DEK. P2 is the block number modulo 256.

        Without a structure in P1 the data are DGIs too: no application here has another one, or an encryption of its
        own. Raises Refuse: 6A86 wrong P1, 6985 wrong block number, instance personalized or locked meanwhile, 6A80
        malformed DGIs or ciphertext, and the refusals of the application. Called inside a transaction.
        """
        last, encryption, structure = StoreDataP1.decode(command.p1)
        if structure is Structure.BER_TLV or encryption is Encryption.APPLICATION_DEPENDENT:
            raise Refuse(0x6A86)
        secret = encryption is Encryption.DEK
        instance = self._system.registry.instance(self.aid)
        if instance is None or not instance.selectable or instance.personalized:
            raise Refuse(0x6985)
        applet = self._system.applet(instance)
        if not command.p2 and not (self._begun and self._blocks & 0xFF == 0):
            self._blocks, self._begun, self._stream = 0, True, dgi.Stream()
            applet.begin_personalization()
        elif not self._begun or command.p2 != self._blocks & 0xFF:
            raise Refuse(0x6985)
        self._blocks += 1
        groups = self._feed(command.data, secret, last)
        if secret:
            groups = [dgi.Dgi(number, decrypt(value)) for number, value in groups]
        if groups or last:
            applet.store_data(iter(groups), last=last)
        return b""

    def _feed(self, block: bytes, secret: bool, last: bool) -> list[dgi.Dgi]:
        if self._stream.pending and secret != self._secret:
            raise Refuse(0x6A80)  # no DGI is half encrypted
        self._secret = secret
        try:
            groups = self._stream.feed(block)
            if last:
                self._stream.finish()
        except TlvError:
            raise Refuse(0x6A80) from None
        return groups
