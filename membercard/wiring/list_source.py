"""The lists of a counter from its office (``/lists`` of docs/api.md), verified before they replace those at hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from membercard import settings
from membercard.errors import SettingsError
from membercard.wiring.api_client import ApiClient, json_object, reason_of
from membercard.wiring.bounded_http import Reply, Request
from membercard.wiring.counter_lists import LIST_KEY, read_key
from membercard.wiring.list_dates import FILES, content_of
from membercard.wiring.seen_lists import FOLDER, SeenLists, fingerprint
from reader_service.redemptions.receiver import ReceiverAway, UploadRefused
from reader_service.services.counter.fetched_lists import (
    FetchedList,
    ListFaultCode,
    ListKind,
    ListNotFetched,
)
from terminal import private_files
from terminal.crypto.rsa import RsaPublic
from terminal.errors import CodecError, CryptoError, IntegrityError
from terminal.member.hotlist import Hotlist, patched
from terminal.member.lists import ListPolicy
from terminal.member.signed import Issue
from terminal.member.trust import TrustList

MOST: Final = 64 * 1024 * 1024
"""Bytes of a list: a hotlist of a million cards has 45 of them."""
_SMALLEST_DELTA: Final = 8192
"""Bytes of a hotlist from which its changes alone are asked for."""
_TIMEOUT: Final = 180.0
"""Seconds for a whole exchange: a long hotlist over a slow line."""
_BY_STATUS: Final = {
    401: ListFaultCode.TOKEN,
    403: ListFaultCode.ROLE,
    404: ListFaultCode.ADDRESS,
    405: ListFaultCode.ADDRESS,
    421: ListFaultCode.ADDRESS,
}


@dataclass(frozen=True, slots=True)
class _Read:
    """A list whose signature is right. ``keys`` of a trust list: two with the same keys are as good as each other."""

    issue: Issue
    keys: Mapping[Any, Any] = field(default_factory=dict)

    @property
    def edition(self) -> tuple[int, datetime]:
        return self.issue.version, self.issue.issued


class HttpListSource:
    """The office behind ``client``, for the counter whose files are in ``folder``. ``programme``: it redeems."""

    def __init__(
        self, client: ApiClient, folder: Path, clock: Callable[[], datetime], *, programme: bool = True
    ) -> None:
        self._client, self._folder, self._clock, self._programme = client, folder, clock, programme
        self._seen = SeenLists(folder / FOLDER)

    def fetch(self, kind: ListKind) -> FetchedList | None:
        """As ListSource has it. Raises ListNotFetched."""
        key = self._key()
        at_hand = content_of(self._folder / FILES[kind])
        present = None if at_hand is None else _readable(kind, at_hand, key)
        if present is None:
            at_hand = None
        fresh = self._delta(at_hand, present) if kind is ListKind.HOTLIST else None
        checked = None if fresh is None else _readable(kind, fresh, key)
        if fresh is None or checked is None:
            reply = self._ask(kind, f"/lists/{kind}", at_hand)
            if reply is None:
                return None
            if reply.status == 304 and present is not None:
                return FetchedList(kind, present.issue.version, new=False)
            fresh, checked = reply.body, _verified(kind, reply.body, key)
        if fresh == at_hand:
            return FetchedList(kind, checked.issue.version, new=False)
        if not self._newer(kind, checked, present, key):
            return FetchedList(kind, (present or checked).issue.version, new=False)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=private_files.FOLDER_MODE)
            private_files.replace(self._folder / FILES[kind], fresh)
        except OSError as fault:
            raise ListNotFetched(ListFaultCode.DISK, kind) from fault
        return FetchedList(kind, checked.issue.version, new=True)

    def offered_key(self) -> tuple[RsaPublic, bytes]:
        """The list key of the office, and the file of it. For a person who compares its fingerprint. Raises
        ListNotFetched."""
        reply = self._ask(None, "/lists/key", None)
        answer = None if reply is None else json_object(reply)
        try:
            if answer is None:
                raise ValueError
            key = RsaPublic(int(str(answer["n"]), 16), int(answer["e"]))
        except (ValueError, KeyError, TypeError, CryptoError) as fault:
            raise ListNotFetched(ListFaultCode.ANSWER) from fault
        return key, json.dumps({"n": f"{key.n:x}", "e": key.e}).encode() + b"\n"

    def _key(self) -> RsaPublic:
        try:
            return read_key(self._folder / LIST_KEY)
        except SettingsError as fault:
            raise ListNotFetched(ListFaultCode.KEY) from fault

    def _newer(self, kind: ListKind, fresh: _Read, present: _Read | None, key: RsaPublic) -> bool:
        """Whether a list with a right signature takes the place of the one at hand. False for a trust list of another
        station that has the same keys. Raises ListNotFetched."""
        at, mark = self._clock(), fingerprint(key)
        try:
            record = self._seen.record()
        except (IntegrityError, OSError) as fault:
            raise ListNotFetched(ListFaultCode.RECORD) from fault
        if record.pinned not in ("", mark):
            raise ListNotFetched(ListFaultCode.KEY_CHANGED)
        if ListPolicy(clock_seen=record.clock).clock_behind(at):
            raise ListNotFetched(ListFaultCode.CLOCK)
        if not fresh.issue.current(at):
            raise ListNotFetched(ListFaultCode.NOT_IN_FORCE, kind)
        editions = record.newest(mark, kind), None if present is None else present.edition
        used = [edition for edition in editions if edition is not None]
        if used and fresh.edition < max(used):
            if kind is ListKind.TRUST and present is not None and present.keys == fresh.keys:
                return False
            raise ListNotFetched(ListFaultCode.OLDER, kind)
        return True

    def _delta(self, at_hand: bytes | None, present: _Read | None) -> bytes | None:
        """The newest hotlist from the changes since the one at hand; None where the whole list is to be fetched."""
        if at_hand is None or present is None or len(at_hand) < _SMALLEST_DELTA:
            return None
        try:
            reply = self._client.ask(
                Request("GET", target=f"/lists/hotlist/delta?since={present.issue.version}", most=MOST)
            )
        except ReceiverAway as fault:
            raise ListNotFetched(ListFaultCode.AWAY) from fault
        except UploadRefused as fault:
            raise ListNotFetched(ListFaultCode(fault.fault.value)) from fault
        changes = json_object(reply) if reply.status == 200 else None
        if changes is None:
            return None
        if changes.get("version") == present.issue.version:
            return at_hand
        try:
            return patched(at_hand, changes)
        except CodecError:
            return None

    def _ask(self, kind: ListKind | None, target: str, at_hand: bytes | None) -> Reply | None:
        """The answer with status 200 or 304; None where the office has none and none is needed. Raises
        ListNotFetched."""
        known = "" if at_hand is None else f'"{hashlib.sha256(at_hand).hexdigest()[:32]}"'
        headers = (("If-None-Match", known),) if known else ()
        try:
            reply = self._client.ask(Request("GET", headers=headers, target=target, most=MOST))
        except ReceiverAway as fault:
            raise ListNotFetched(ListFaultCode.AWAY) from fault
        except UploadRefused as fault:
            raise ListNotFetched(ListFaultCode(fault.fault.value)) from fault
        if reply.status == 200 or (reply.status == 304 and at_hand is not None):
            return reply
        if reply.status == 404 and kind is not None and reason_of(json_object(reply)) == kind:
            if kind is ListKind.PROGRAMME and not self._programme:
                return None
            raise ListNotFetched(ListFaultCode.NONE, kind)
        raise ListNotFetched(_BY_STATUS.get(reply.status, ListFaultCode.ANSWER))


def list_source() -> HttpListSource | None:
    """The office that the settings name; None where this installation is the office. Raises SettingsError."""
    current = settings.load()
    if not current.upload_url:
        return None
    if current.upload_token_file is None:
        raise SettingsError("upload_url needs the setting upload_token_file too: the token of this counter's outlet")
    client = ApiClient(current.upload_url, current.upload_token_file, _TIMEOUT)
    return HttpListSource(client, current.data_dir, current.now, programme=bool(current.merchant))


def _verified(kind: ListKind, content: bytes, key: RsaPublic) -> _Read:
    """Raises ListNotFetched where it is not of that kind, or not signed with the key."""
    try:
        if kind is ListKind.TRUST:
            trust = TrustList.load(content, key)
            return _Read(trust.issue, trust.keys)
        if kind is ListKind.HOTLIST:
            return _Read(Hotlist.load(content, key).issue)
        from programme.editions import ProgrammeEdition  # slow to import, and not needed where there is no edition

        return _Read(ProgrammeEdition.load(content, key).issue)
    except IntegrityError as fault:
        raise ListNotFetched(ListFaultCode.FORGED, kind) from fault
    except CodecError as fault:
        raise ListNotFetched(ListFaultCode.FORM, kind) from fault


def _readable(kind: ListKind, content: bytes, key: RsaPublic) -> _Read | None:
    """None for one that is not as it should be."""
    try:
        return _verified(kind, content, key)
    except ListNotFetched:
        return None
