"""The linter: findings about a payment application that certification would reject, with rule and source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from personalize.dossiers.dossier import Dossier
from personalize.payment.image import Authorities, CardImage
from personalize.payment.rules import authentication, card, data, files, lists, stripe
from personalize.profiles.profile import Profile

_IN_A_ROW: Final = 3
RULES = (*files.RULES, *data.RULES, *lists.RULES, *authentication.RULES, *card.RULES, *stripe.RULES)


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One finding: the rule's name, its source, a sentence."""

    rule: str
    source: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.message} ({self.source})"


def lint(profile: Profile, dossier: Dossier, authorities: Authorities | None = None) -> list[LintFinding]:
    """Every finding about the payment application of a dossier, in the order of the rules; empty for a sound card.

    ``authorities``: the CA keys that terminals have; without them RSA certificates are not opened.
    Raises PrepareError when profile or dossier have no payment application.
    """
    image = CardImage(profile.payment, dossier, authorities or Authorities())
    return [LintFinding(rule.name, rule.source, message) for rule in RULES for message in rule.check(image)]


class BatchLinter:
    """Lints the cards of one batch in turn. The verification values of stripe and chip are equal by chance on one card
    of a thousand: that is a finding from the third card in a row on, and ``settled`` is False meanwhile."""

    def __init__(self, profile: Profile, authorities: Authorities | None = None) -> None:
        self._profile, self._authorities = profile, authorities
        self._row = 0

    @property
    def settled(self) -> bool:
        """Whether the last card broke no rule that a sound card may break."""
        return not self._row

    def lint(self, dossier: Dossier) -> list[LintFinding]:
        """As ``lint``."""
        findings = lint(self._profile, dossier, self._authorities)
        certain = [finding for finding in findings if finding.rule != stripe.BY_CHANCE]
        self._row = self._row + 1 if len(certain) < len(findings) else 0
        return findings if self._row >= _IN_A_ROW else certain
