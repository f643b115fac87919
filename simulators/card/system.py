"""The card operating system while powered: logical channels, selection, dispatch. GPC 2.3.1, chapter 6."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from simulators.card.applet import Applet, AppletHost, AppletMemory, Refuse
from simulators.card.config import ISD_AID, CardConfig
from simulators.card.content import (
    CARD_RESET,
    ApplicationLifeCycle,
    CardLifeCycle,
    CardRegistry,
    Instance,
    Modules,
    OpaqueApplet,
)
from simulators.card.keyring import KeyRing
from simulators.card.memory import MemoryWriteFailed, Nvm
from simulators.card.meter import WorkMeter
from terminal.apdu import OK, Command, Response, StatusWord

CHANNELS = 4

_CHANNEL, _CHAINING, _SECURITY = 0x03, 0x10, 0x0C
_SELECT, _MANAGE_CHANNEL, _GET_DATA = 0xA4, 0x70, 0xCA
_MAX_CHAIN = 0xFFFF
_BY_NAME = 0x04
_OCCURRENCES = (0x00, 0x02)
"""First or only, and next: b2-b1 of P2 of SELECT. ISO/IEC 7816-4:2020, table 63."""
_FCI, _FCP, _NOTHING = 0x00, 0x04, 0x0C
"""What SELECT is to return: b4-b3 of P2. A host that asks for the control parameters of a file gets the FCI too, as all
there is of an application; there are no file management data (08)."""
_OF_FILES = (0x00, 0x01, 0x02, 0x03, 0x08, 0x09)
"""P1 of SELECT by file identifier or path. ISO/IEC 7816-4:2020, 11.2.2."""
_BLOCKED = "blocked"
"""Name in the card's memory, set by CARD BLOCK. EMV 4.4 Book 3, 6.5.3."""
_TERMINATED = bytes((CardLifeCycle.TERMINATED,))


class Channel:
    """One logical channel: its security domain, the selected application, and the command chain in progress."""

    def __init__(self, domain: Applet) -> None:
        self.domain = domain
        self.applet = domain
        self.chain: tuple[bytes, bytes] | None = None


class ApplicationHost:
    """The AppletHost of one application instance."""

    def __init__(self, system: System, aid: bytes) -> None:
        self._system = system
        self._aid = aid
        self.memory: AppletMemory = system.nvm.scope(f"app/{aid.hex()}")
        self.contactless = system.config.contactless
        self.random = system.random
        self.count_work = system.meter.count_work

    @property
    def personalized(self) -> bool:
        instance = self._system.registry.instance(self._aid)
        return instance is not None and instance.personalized

    def set_personalized(self) -> None:
        self._system.registry.set_state(self._aid, ApplicationLifeCycle.PERSONALIZED)

    def block_card(self) -> None:
        self._system.nvm.scope("card")[_BLOCKED] = b"\x01"


class System:
    """The volatile state of a powered card, created at each power-on and reset; everything lasting is in ``nvm``.

    ``domain`` creates the security domain of a channel, so that this module does not depend on it.
    """

    def __init__(
        self,
        nvm: Nvm,
        config: CardConfig,
        modules: Modules,
        random: Callable[[int], bytes],
        meter: WorkMeter,
        domain: Callable[[System, AppletHost], Applet],
    ) -> None:
        self.nvm, self.config, self.random, self.meter = nvm, config, random, meter
        self.registry = CardRegistry(nvm.scope("registry"))
        self.keys = KeyRing(nvm.scope("isd"), config.max_tries)
        self._card = nvm.scope("card")
        self._modules = modules
        self._domain = domain
        self._applets: dict[bytes, Applet] = {}
        self._channels: list[Channel | None] = [None] * CHANNELS
        self._channels[0] = self._open()

    @property
    def state(self) -> CardLifeCycle:
        return CardLifeCycle(self._card["state"][0])

    def set_state(self, state: CardLifeCycle) -> None:
        """Set the card life cycle; on a locked or terminated card only the security domain stays selected."""
        self._card["state"] = bytes((state,))
        if state in (CardLifeCycle.CARD_LOCKED, CardLifeCycle.TERMINATED):
            for channel in self._channels:
                if channel is not None and channel.applet is not channel.domain:
                    channel.applet.deselect()
                    channel.applet = channel.domain

    def execute(self, command: Command) -> Response:
        """One command to one response. Raises nothing but PowerLost."""
        try:
            return self._dispatch(command)
        except Refuse as refusal:
            return Response(b"", refusal.sw)
        except MemoryWriteFailed:
            return Response(b"", StatusWord(0x6581))

    def applet(self, instance: Instance) -> Applet:
        """The running applet of an instance, created on first use."""
        applet = self._applets.get(instance.aid)
        if applet is None:
            file = self.registry.file(instance.load_file)
            kind = self._modules.get(instance.module) if file is not None and file.rom else None
            host = ApplicationHost(self, instance.aid)
            applet = (kind or OpaqueApplet)(host, instance.aid, instance.parameters)
            self._applets[instance.aid] = applet
        return applet

    def discard(self, aid: bytes) -> None:
        """Drop the running applet of an instance that was deleted or installed."""
        self._applets.pop(aid, None)

    def in_use(self, aid: bytes) -> bool:
        """Whether an instance is selected on any channel."""
        applet = self._applets.get(aid)
        return applet is not None and any(
            channel is not None and channel.applet is applet for channel in self._channels
        )

    def _dispatch(self, command: Command) -> Response:
        cla = command.cla
        if cla & 0x60 or cla == 0xFF:
            raise Refuse(0x6881 if cla & 0x40 and cla != 0xFF else 0x6E00)
        channel = self._channels[cla & _CHANNEL]
        if channel is None:
            raise Refuse(0x6881)
        if cla & _CHANNEL:
            command = replace(command, cla=cla & ~_CHANNEL)
        if cla & _CHAINING or channel.chain is not None:
            joined = self._chain(channel, command)
            if joined is None:
                return Response(b"", OK)
            command = joined
        if not command.cla:
            if command.ins == _SELECT:
                return self._select(channel, command)
            if command.ins == _MANAGE_CHANNEL:
                return self._manage_channel(channel, command)
        if self._card["state"] == _TERMINATED and command.ins != _GET_DATA:
            raise Refuse(0x6985)
        return channel.applet.process(command)

    def _chain(self, channel: Channel, command: Command) -> Command | None:
        """Command chaining: the joined command at its last part, None before it. ISO/IEC 7816-4:2020, 5.3.3."""
        plain = replace(command, cla=command.cla & ~_CHAINING)
        chain, channel.chain = channel.chain, None
        if plain.ins not in channel.applet.chaining or plain.cla & _SECURITY:
            raise Refuse(0x6884 if command.cla & _CHAINING else 0x6883)
        if chain is not None and chain[0] != plain.header:
            raise Refuse(0x6883)
        data = (chain[1] if chain else b"") + plain.data
        if len(data) > _MAX_CHAIN:
            raise Refuse(0x6700)
        if command.cla & _CHAINING:
            channel.chain = (plain.header, data)
            return None
        return replace(plain, data=data)

    def _select(self, channel: Channel, command: Command) -> Response:
        """SELECT by DF name. The card has no master file and no other files: 6A82 for those."""
        if command.p1 != _BY_NAME:
            raise Refuse(0x6A82 if command.p1 in _OF_FILES else 0x6A86)
        if self.state is CardLifeCycle.TERMINATED:
            raise Refuse(0x6985)
        if _BLOCKED in self._card:
            raise Refuse(0x6A81)
        occurrence, wanted = command.p2 & ~_NOTHING, command.p2 & _NOTHING
        if occurrence not in _OCCURRENCES or wanted not in (_FCI, _FCP, _NOTHING) or len(command.data) > 16:
            raise Refuse(0x6A86 if len(command.data) <= 16 else 0x6700)
        applet = self._find(channel, command.data, following=bool(occurrence))
        if applet is not channel.applet and any(o and o.applet is applet for o in self._channels):
            raise Refuse(0x6985)  # no applet is multi-selectable; each channel has its own security domain
        fci = applet.select(occurrence)
        if applet is not channel.applet or applet is channel.domain:
            channel.applet.deselect()
        channel.applet = applet
        return Response(b"" if wanted == _NOTHING else fci, applet.select_status)

    def _find(self, channel: Channel, partial: bytes, *, following: bool) -> Applet:
        """The first matching application, or the next after the selected one. GPC 2.3.1, 6.4.2. Raises Refuse."""
        candidates: list[Applet] = [channel.domain] if ISD_AID.startswith(partial) else []
        if partial and self.state is not CardLifeCycle.CARD_LOCKED:
            candidates += [self.applet(instance) for instance in self.registry.matching(partial) if instance.selectable]
        if following and channel.applet in candidates:
            candidates = candidates[candidates.index(channel.applet) + 1 :]
        if not candidates:
            raise Refuse(0x6A82)
        return candidates[0]

    def _manage_channel(self, channel: Channel, command: Command) -> Response:
        """Open or close a supplementary channel. ISO/IEC 7816-4:2020, 11.1.2; GPC 2.3.1, 11.7."""
        number = command.p2
        if command.p1 not in (0x00, 0x80) or number >= 20 or command.data:
            raise Refuse(0x6A86)
        if command.p1 == 0x80:
            if not number:
                raise Refuse(0x6A86)
            closing = self._channels[number] if number < CHANNELS else None
            if closing is None:
                raise Refuse(0x6881)
            closing.applet.deselect()
            self._channels[number] = None
            return Response(b"", OK)
        assigned = not number
        if assigned:
            number = next((n for n, taken in enumerate(self._channels) if taken is None), CHANNELS)
        if number >= CHANNELS:
            raise Refuse(0x6A81 if assigned else 0x6881)
        if self._channels[number] is not None:
            raise Refuse(0x6A86)
        self._channels[number] = self._open()
        return Response(bytes((number,)) if assigned else b"", OK)

    def _open(self) -> Channel:
        """A channel with the default selected application, or the security domain if that application refuses."""
        channel = Channel(self._domain(self, ApplicationHost(self, ISD_AID)))
        if self.state not in (CardLifeCycle.CARD_LOCKED, CardLifeCycle.TERMINATED):
            default = next((i for i in self.registry.instances if i.privileges & CARD_RESET and i.selectable), None)
            if default is not None and not self.in_use(default.aid):
                applet = self.applet(default)
                with suppress(Refuse):  # it may not be personalized yet
                    applet.select(0)
                    channel.applet = applet
        return channel
