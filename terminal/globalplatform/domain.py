"""A session with one security domain of one card: its data, card content management and personalization."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from terminal.apdu import Command, Response, Sender, StatusWord, check
from terminal.errors import CardMalformed, CardRefused, SecureChannelError
from terminal.globalplatform import carddata, content, identity, inventory, putkey, storedata
from terminal.globalplatform.aid import Aid
from terminal.globalplatform.cap import CapFile
from terminal.globalplatform.carddata import CardRecognition, KeyInformation
from terminal.globalplatform.channel import SecureChannel, card_holds, open_channel
from terminal.globalplatform.content import InstallFor
from terminal.globalplatform.cplc import LENGTH, Cplc
from terminal.globalplatform.guard import AuthenticationGuard
from terminal.globalplatform.handshake import HostAuthentication
from terminal.globalplatform.identity import IdentitySource
from terminal.globalplatform.inventory import StatusEntry, StatusScope
from terminal.globalplatform.levels import SecurityLevel
from terminal.globalplatform.lifecycle import NO_PRIVILEGES, CardLifeCycleState, Privileges
from terminal.globalplatform.storedata import StoreDataBlock, StoreDataPart, StoreDataStructure
from terminal.globalplatform.tolerant import objects, values
from terminal.globalplatform.update import InitializeUpdate
from terminal.keys.custody import CardKeys, KeyCustody, Scp, WrappedSecret
from terminal.tlv import tlv

Progress = Callable[[int, int], None]
"""Called after each acknowledged block with its number (from 1) and the number of blocks."""
Returned = Callable[[bytes], None]

_NO_SUCH_DATA = 0x6A88
_MORE = 0x6310
_NO_TLV_FORM = (0x6A86, 0x6A80, 0x6B00)
_NOT_GIVEN = (0x6A88, 0x6A86, 0x6A82, 0x6A81, 0x6A80, 0x6B00, 0x6D00, 0x6E00, 0x6982, 0x6985)
"""Refusals of GET DATA by which a card says that it does not give an object; others are faults."""
_MAX_ROUNDS = 256
_SHORT = 255
_LOCKED = 0x6283
_CPLC_HEADER = bytes((0x9F, 0x7F, LENGTH))
_EMPTY_CPLC = (b"", b"\x9f\x7f\x00")


class SecurityDomain:
    """Communicates with a security domain over ``sender``: in clear until ``authenticate``, then through the channel.

    ``aid`` None means the issuer security domain, whatever its AID. Every method raises CardRefused when the card
    refuses, CardMalformed for an answer in a wrong format, and what the sender raises. A new SELECT or reset ends
    the channel on the card: call ``select`` again, then ``authenticate``. ``remarks`` are sentences about parts of the
    card's data that could not be read, ``name`` is the AID that the card gave in its FCI, empty where it gave none.
    """

    def __init__(
        self,
        sender: Sender,
        custody: KeyCustody,
        guard: AuthenticationGuard,
        *,
        aid: Aid | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._sender = sender
        self._custody = custody
        self._guard = guard
        self._random = random
        self._aid = aid
        self._chip: str | None = None
        self._fci = b""
        self._option: int | None = None
        self._option_read = False
        self.name = b""
        self.remarks: list[str] = []
        self.channel: SecureChannel | None = None

    # -- selecting and authenticating --------------------------------------------------------------------------------

    def select(self) -> bytes:
        """SELECT, which ends the channel; returns the FCI. A locked card answers with a warning. 11.9."""
        self.channel = None
        who = str(self._aid) if self._aid else "the issuer security domain"
        response = self._sender.send(Command(0x00, 0xA4, 0x04, 0x00, self._aid or b"", 256))
        self._fci = check(response, f"selecting {who}", allow=(_LOCKED,))
        level = objects(self._fci)
        inside = values(level, 0x6F)
        self.name = next(iter(values(objects(inside[0]) if inside else level, 0x84)), b"")
        return self._fci

    def authenticate(self, wanted: HostAuthentication) -> SecureChannel:
        """Open the secure channel, through which later commands are sent. Raises what ``handshake`` raises."""
        self.channel = None
        chip = self.chip()
        if wanted.scp02_i is None and wanted.scp is not Scp.SCP03:
            wanted = replace(wanted, scp02_i=self._scp02_option())
        self.channel = open_channel(self._sender, wanted, self._custody, self._guard, chip=chip, random=self._random)
        return self.channel

    def holds(self, wanted: HostAuthentication) -> CardKeys | None:
        """The first of the key sets of ``wanted`` that the card proves to hold, without a try; None for none. It ends
        an open channel. Raises CardRefused where the card has no such key version, SecureChannelError, CustodyError."""
        self.channel = None
        return card_holds(self._sender, wanted, self._custody, random=self._random)

    def _scp02_option(self) -> int | None:
        """The SCP02 option that the card names in its FCI or its card data, read once; None where it names none."""
        if not self._option_read:
            self._option_read = True
            for read in (self._recognition_of_fci, self.recognition):
                with suppress(CardRefused, CardMalformed):
                    card = read()
                    if card.protocols:
                        self._option = card.option(2)
                        break
        return self._option

    def _recognition_of_fci(self) -> CardRecognition:
        """The card data in the security domain management data of the FCI. GPC 2.3.1, 11.9.3.1."""
        level = objects(self._fci)
        for tag in (0x6F, 0xA5):
            level = [each for value in values(level, tag) for each in objects(value)]
        return CardRecognition.parse(next(iter(values(level, 0x73)), b""))

    def send(self, command: Command) -> Response:
        """Any command, through the channel where one is open.

        Where responses carry an R-MAC, a command without Le gets one: otherwise the MAC would need a GET RESPONSE.
        """
        if self.channel is None:
            return self._sender.send(command)
        if command.ne is None and self.channel.level & SecurityLevel.R_MAC:
            command = replace(command, ne=256)
        return self.channel.send(command)

    @property
    def max_data(self) -> int:
        """Maximum number of data bytes of one short command, through the channel where one is open."""
        return self.channel.max_data if self.channel else _SHORT

    # -- data of the card --------------------------------------------------------------------------------------------

    def get_data(self, tag: int) -> bytes | None:
        """A data object as the card returns it, usually with tag and length; None when it has none. 11.3."""
        response = self.send(_get_data(tag))
        return None if response.sw == _NO_SUCH_DATA else check(response, f"reading data object {tag:02X}")

    def cplc(self) -> Cplc:
        """Production data, 9F7F. Raises CardRefused (6A88) for a card that has none."""
        return Cplc.parse(self._needed(0x9F7F, "reading the production data (CPLC, 9F7F)"), self.remarks.append)

    def chip(self) -> str:
        """The identity of the chip for the guard, read once: the one of ``identify``, else the serial number of the
        production data; empty for a card without."""
        if self._chip is None:
            response = self.send(_get_data(0x9F7F))
            self._chip = ""
            if response.sw.ok:
                with suppress(CardMalformed):
                    self._chip = Cplc.parse(response.data, self.remarks.append).chip_serial
        return self._chip

    def identify(self, sources: Sequence[IdentitySource] = (IdentitySource.CPLC,)) -> str:
        """What tells this chip from any other, from the first source that says something; empty where none does.

        Before ``authenticate``. Raises CardMalformed for answers that differ when they are repeated, and where the card
        gives none of the sources.
        """
        given = False
        for source in sources:
            data = self._identity_data(source)
            given = given or data is not None
            if serial := _IDENTITIES[source](data) if data else "":
                self._chip = serial
                return serial
        if not given:
            named = ", ".join(sources)
            raise CardMalformed(f"reading the identity: this card gives no {named}, so it cannot be told from others")
        return ""

    def _identity_data(self, source: IdentitySource) -> bytes | None:
        """The data of a source; None where the card does not give them."""
        if source is IdentitySource.KEY_DATA:
            response = self.send(Command(0x80, 0x50, 0x00, 0x00, self._random(8), ne=256))
            if response.sw in _NOT_GIVEN:
                return None
            data = check(response, "reading the key data (INITIALIZE UPDATE)")
            return InitializeUpdate.parse(data, scp02_i=0).key_data
        tag = 0x9F7F if source is IdentitySource.CPLC else 0x45
        operation = f"reading the {'production data (CPLC, 9F7F)' if tag == 0x9F7F else 'card image number (45)'}"
        response = self.send(_get_data(tag))
        if response.sw in _NOT_GIVEN:
            # A GlobalPlatform card without this object; other refusals come from cards of any kind.
            return b"" if response.sw == _NO_SUCH_DATA else None
        data = check(response, operation)
        if source is IdentitySource.CPLC and data not in _EMPTY_CPLC and len(data.removeprefix(_CPLC_HEADER)) != LENGTH:
            # Another length than that of the standard may be the chip's way, or a garbled answer: one of the full
            # length with a wrong tag is not worth a second reading.
            garbled = len(data) == LENGTH + len(_CPLC_HEADER) and not data.startswith(_CPLC_HEADER[:2])
            if garbled or check(self.send(_get_data(tag)), operation) != data:
                raise CardMalformed(f"{operation}: {len(data)} bytes that are no production data")
        return data

    def recognition(self) -> CardRecognition:
        """GlobalPlatform version and secure channel protocols, 66."""
        return CardRecognition.parse(self._needed(0x66, "reading the card data (66)"), self.remarks.append)

    def key_information(self) -> tuple[KeyInformation, ...]:
        """Every key with its version and type, E0."""
        data = self._needed(0xE0, "reading the key information (E0)")
        return carddata.key_information(data, self.remarks.append)

    def key_versions(self) -> frozenset[int]:
        """The versions that the key information names; empty for a card that does not give it, or twice nothing."""
        response = self.send(_get_data(0xE0))
        if response.sw.ok and not response.data:
            response = self.send(_get_data(0xE0))
        if response.sw in _NOT_GIVEN or (response.sw.ok and not response.data):
            return frozenset()
        data = check(response, "reading the key information (E0)")
        return frozenset(key.version for key in carddata.key_information(data, self.remarks.append))

    def status(self, scope: StatusScope, aid: bytes = b"") -> list[StatusEntry]:
        """The card registry's entries of a scope, or those whose AID begins with ``aid``. 11.4."""
        operation = f"listing {scope.name.replace('_', ' ').lower()} (GET STATUS)"
        data, response = b"", self.send(inventory.get_status(scope, aid=aid))
        tlv_form = response.sw not in _NO_TLV_FORM
        if not tlv_form:
            response = self.send(inventory.get_status(scope, tlv_form=False, aid=aid))
        for _ in range(_MAX_ROUNDS):
            if response.sw != _MORE:
                break
            data += response.data
            response = self.send(inventory.get_status(scope, tlv_form=tlv_form, following=True, aid=aid))
        else:
            raise CardMalformed(f"{operation}: the card lists entries without end")
        if response.sw != _NO_SUCH_DATA:
            data += check(response, operation)
        return inventory.parse(scope, data, tlv_form=tlv_form, note=self.remarks.append)

    def own_entry(self) -> StatusEntry:
        """The entry of the issuer security domain; of several the one with the AID in the FCI. Raises CardMalformed."""
        entries = self.status(StatusScope.ISSUER_DOMAIN)
        own = [entry for entry in entries if entry.aid == self.name] or entries
        if len(own) != 1:
            raise CardMalformed(f"GET STATUS names {len(own)} issuer security domains")
        return own[0]

    # -- card content ------------------------------------------------------------------------------------------------

    def load(
        self,
        cap: CapFile,
        *,
        digest: str = "",
        parameters: bytes = b"",
        descriptor: bool = False,
        acknowledged: Progress | None = None,
    ) -> None:
        """INSTALL [for load] and LOAD of a package, in blocks that fill the commands of this channel. 11.5, 11.6.

        ``digest`` names the hash of the data block ("sha1", "sha256") where the card requires one.
        """
        blocks = content.load(cap.load_file(descriptor=descriptor), self.max_data)
        hashed = cap.digest(digest, descriptor=descriptor) if digest else b""
        announce = content.install_for_load(cap.package.aid, self._aid or b"", hashed, parameters)
        self._confirmed(announce, f"announcing load file {cap.package.aid}")
        for number, command in enumerate(blocks, 1):
            self._confirmed(command, f"loading {cap.package.aid}, block {number} of {len(blocks)}")
            if acknowledged:
                acknowledged(number, len(blocks))

    def install(
        self,
        package: Aid,
        module: Aid,
        instance: Aid,
        *,
        privileges: Privileges = NO_PRIVILEGES,
        parameters: bytes = b"",
        selectable: bool = True,
    ) -> None:
        """Make an instance of a loaded module, selectable at once by default. 11.5.

        ``parameters`` are those of its install method; they are wrapped in C9 here.
        """
        purpose = InstallFor.INSTALL_AND_MAKE_SELECTABLE if selectable else InstallFor.INSTALL
        wrapped = tlv(0xC9, parameters).encode()
        command = content.install(purpose, package, module, instance, privileges, wrapped)
        self._confirmed(command, f"installing {instance} from module {module}")

    def make_selectable(self, instance: Aid, privileges: Privileges = NO_PRIVILEGES) -> None:
        self._confirmed(content.make_selectable(instance, privileges), f"making {instance} selectable")

    def start_personalization(self, instance: Aid) -> None:
        """INSTALL [for personalization]: later STORE DATA commands are for this instance."""
        self._confirmed(content.install_for_personalization(instance), f"choosing {instance} for personalization")

    def extradite(self, instance: Aid, domain: Aid) -> None:
        self._confirmed(content.extradite(instance, domain), f"moving {instance} under {domain}")

    def update_registry(self, instance: Aid, *, domain: bytes = b"", privileges: Privileges | None = None) -> None:
        self._confirmed(content.registry_update(instance, domain, privileges), f"updating the entry of {instance}")

    def delete(self, aid: Aid, *, related: bool = False) -> None:
        """Delete an instance or a load file; with ``related`` a load file and its instances."""
        self._confirmed(content.delete(aid, related=related), f"deleting {aid}")

    def delete_key(self, version: int, identifier: int | None = None) -> None:
        self._confirmed(content.delete_key(version, identifier), f"deleting key version {version:02X}")

    def set_card_state(self, state: CardLifeCycleState) -> None:
        check(self.send(content.set_card_state(state)), f"setting the card to {state.name}")

    def set_application_state(self, aid: Aid, state: int) -> None:
        check(self.send(content.set_application_state(aid, state)), f"setting {aid} to state {state:02X}")

    # -- keys and data -----------------------------------------------------------------------------------------------

    def put_keys(self, new: CardKeys, *, replaces: int = 0, first: int = 1) -> None:
        """Put the three keys of a set on the card, replacing version ``replaces`` or adding to the others (0).

        The check values in the card's answer are compared. Needs an open channel. 11.8. Raises CustodyError.
        """
        wrapped: Sequence[WrappedSecret] = self._custody.wrap_card_keys(self._secured("PUT KEY").dek, new)
        algorithm = self._custody.info(new.master).algorithm
        command = putkey.put_key(new.version, replaces, first, algorithm, wrapped)
        operation = f"putting {new}" + (f" in the place of version {replaces:02X}" if replaces else "")
        putkey.check_answer(check(self.send(command), operation), new.version, wrapped)

    def personalize(
        self,
        instance: Aid,
        parts: Iterable[StoreDataPart],
        *,
        acknowledged: Progress | None = None,
        returned: Returned | None = None,
    ) -> int:
        """Start personalization of an instance and store its DGIs; returns the number of STORE DATA commands."""
        self.start_personalization(instance)
        return self.store_dgis(parts, acknowledged=acknowledged, returned=returned)

    def store_dgis(
        self, parts: Iterable[StoreDataPart], *, acknowledged: Progress | None = None, returned: Returned | None = None
    ) -> int:
        """Store DGIs in the fewest commands; returns their number. See ``storedata.pack`` for the order.

        ``returned`` is called with the data of each response, which P1 then says may be there. Needs an open channel.
        11.11. Raises CustodyError, TlvError.
        """
        blocks = storedata.pack(parts, self._custody, self._secured("STORE DATA").dek, self.max_data)
        return self._store(blocks, StoreDataStructure.DGI, acknowledged, returned)

    def store_data(self, data: bytes, structure: StoreDataStructure, *, returned: Returned | None = None) -> int:
        """Store plain data of any structure in full blocks; returns the number of commands."""
        return self._store(storedata.blocks(data, self.max_data), structure, None, returned)

    def _store(
        self,
        blocks: Sequence[StoreDataBlock],
        structure: StoreDataStructure,
        acknowledged: Progress | None,
        returned: Returned | None,
    ) -> int:
        commands = storedata.commands(blocks, structure, response=returned is not None)
        for number, command in enumerate(commands, 1):
            data = check(self.send(command), f"storing data, block {number} of {len(commands)}")
            if returned and data:
                returned(data)
            if acknowledged:
                acknowledged(number, len(commands))
        return len(commands)

    def _secured(self, operation: str) -> SecureChannel:
        if self.channel is None:
            raise SecureChannelError(f"{operation} needs a secure channel: authenticate first")
        return self.channel

    def _needed(self, tag: int, operation: str) -> bytes:
        data = self.get_data(tag)
        if data is None:
            raise CardRefused(operation, StatusWord(_NO_SUCH_DATA))
        return data

    def _confirmed(self, command: Command, operation: str) -> None:
        """Content management commands answer 00, or a receipt with its length, or nothing. 11.5.3.1."""
        data = check(self.send(command), operation)
        if data and data[0] != len(data) - 1:
            raise CardMalformed(f"{operation}: a confirmation of {len(data)} bytes with length byte {data[0]:02X}")


def _get_data(tag: int) -> Command:
    return Command(0x80, 0xCA, tag >> 8, tag & 0xFF, ne=256)


_IDENTITIES: dict[IdentitySource, Callable[[bytes], str]] = {
    IdentitySource.CPLC: lambda data: "" if data in _EMPTY_CPLC else Cplc.parse(data).chip_serial,
    IdentitySource.KEY_DATA: identity.of_key_data,
    IdentitySource.CARD_IMAGE_NUMBER: identity.of_card_image_number,
}
