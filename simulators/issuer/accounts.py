"""The accounts of the test bank: balance, limits, PIN, transaction counters seen, pending scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from simulators.issuer.scripts import IssuerScript, IssuerScriptCommand, IssuerScriptResult, ScriptPhase
from terminal.secret import Secret


class AccountStatus(StrEnum):
    OPEN = "open"
    BLOCKED = "blocked"
    LOST = "lost"
    STOLEN = "stolen"
    CLOSED = "closed"


@dataclass(slots=True, repr=False)
class BankAccount:
    """The account of one card. Amounts are in the smallest unit of the currency. By transaction counter (ATC):
    ``holds`` are the amounts of approved transactions not completed yet, ``ended`` the completed transactions."""

    pan: str
    sequence: int
    expires: date
    balance: int = 0
    limit: int | None = None
    pin: Secret | None = None
    pin_tries: int = 3
    pin_limit: int = 3
    status: AccountStatus = AccountStatus.OPEN
    holds: dict[int, int] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    highest_online: int = 0
    scripts: list[IssuerScript] = field(default_factory=list)
    script_count: int = 0

    def queue(self, *commands: IssuerScriptCommand, phase: ScriptPhase = ScriptPhase.AFTER) -> IssuerScript:
        """Send these commands with the next online transaction, and with each one after it until they are executed.

        Raises CodecError when they are too long for one authorization response.
        """
        script = IssuerScript(self.script_count + 1, phase, commands)
        script.check_size()
        self.script_count += 1
        self.scripts.append(script)
        return script

    def drop_completed(self, results: tuple[IssuerScriptResult, ...]) -> None:
        """Drop the scripts that the card executed."""
        done = {result.identifier for result in results if result.done}
        self.scripts = [script for script in self.scripts if script.identifier not in done]

    def __repr__(self) -> str:
        return f"<Account …{self.pan[-4:]}-{self.sequence:02d}, {self.status}>"


@dataclass(frozen=True, slots=True)
class OpeningRule:
    """Rule for accounts that are opened at the first transaction of an unknown card: prefix of the card number,
    balance, limit of one transaction."""

    prefix: str
    balance: int
    limit: int | None = None


class BankAccounts:
    """All accounts by card number and sequence."""

    def __init__(self, accounts: tuple[BankAccount, ...] = (), opening: OpeningRule | None = None) -> None:
        self._accounts = {(account.pan, account.sequence): account for account in accounts}
        self._opening = opening

    def add(self, account: BankAccount) -> BankAccount:
        self._accounts[account.pan, account.sequence] = account
        return account

    def find(self, pan: str, sequence: int) -> BankAccount | None:
        """The account of a card, or None; ``open_account`` opens one after the cryptogram was verified."""
        return self._accounts.get((pan, sequence))

    def may_open(self, pan: str) -> bool:
        """Whether the opening rule applies to this card number."""
        return self._opening is not None and pan.startswith(self._opening.prefix)

    def open_account(self, pan: str, sequence: int, expires: date) -> BankAccount:
        """Open an account by the opening rule; check ``may_open`` first."""
        rule = self._opening or OpeningRule(pan, 0)
        return self.add(BankAccount(pan, sequence, expires, rule.balance, rule.limit))
