"""What the issuer knows of each card: money, limits, PIN, the transaction counters it has seen, scripts in waiting."""

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
    """One card's account. Amounts are in the currency's smallest unit. By transaction counter: ``holds`` are
    the amounts of approved transactions that are not over, ``ended`` the transactions that are."""

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
        """Have these commands sent at the next online transaction, and at every one after it until done.

        Raises CodecError when they are more than a terminal takes in one answer.
        """
        script = IssuerScript(self.script_count + 1, phase, commands)
        script.check_size()
        self.script_count += 1
        self.scripts.append(script)
        return script

    def drop_completed(self, results: tuple[IssuerScriptResult, ...]) -> None:
        """Drop the scripts that the card carried out."""
        done = {result.identifier for result in results if result.done}
        self.scripts = [script for script in self.scripts if script.identifier not in done]

    def __repr__(self) -> str:
        return f"<Account …{self.pan[-4:]}-{self.sequence:02d}, {self.status}>"


@dataclass(frozen=True, slots=True)
class OpeningRule:
    """Accounts that open themselves at a card's first transaction, for cards that nobody told this issuer of: the
    beginning of their numbers, what is on them and how much one transaction may take."""

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
        """The account of a card. Makes none: an account opens only for a card that proved itself (``open_account``)."""
        return self._accounts.get((pan, sequence))

    def may_open(self, pan: str) -> bool:
        return self._opening is not None and pan.startswith(self._opening.prefix)

    def open_account(self, pan: str, sequence: int, expires: date) -> BankAccount:
        """A new account by the opening rule; ask ``may_open`` first."""
        rule = self._opening or OpeningRule(pan, 0)
        return self.add(BankAccount(pan, sequence, expires, rule.balance, rule.limit))
