"""The lists that verdicts are based on, and which verdicts they outdate."""

from __future__ import annotations

from terminal.member.lists import CounterLists
from terminal.member.outcome import Verdict


class ListsInUse:
    """What verdicts are based on now. The issuer's own service writes lists of the same content under a new version
    each time: a verdict is outdated by what they hold, not by their version. For any thread."""

    def __init__(self) -> None:
        self._lists: CounterLists | None = None
        self._same_keys_since = 0  # the version of the first trust list with the keys of this one

    def changed(self, lists: CounterLists) -> None:
        if self._lists is None or self._lists.trust.keys != lists.trust.keys:
            self._same_keys_since = lists.trust.issue.version
        self._lists = lists

    def outdate(self, verdict: Verdict) -> bool:
        """Whether the lists may judge the card otherwise: by other keys, without or only now with a hotlist, or as a
        newer hotlist names the card."""
        if self._lists is None:
            return False
        hotlist = self._lists.hotlist
        if verdict.trust_version < self._same_keys_since:
            return True
        if hotlist is None or verdict.hotlist_version is None:
            return hotlist is not None or verdict.hotlist_version is not None
        if verdict.card is None or hotlist.version == verdict.hotlist_version:
            return False
        return hotlist.find(verdict.card.card_number, verdict.card.sequence) is not None
