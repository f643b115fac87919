"""The linter: findings about a payment application that certification would reject, with rule and source."""

from __future__ import annotations

from dataclasses import dataclass

from personalize.dossiers.dossier import Dossier
from personalize.payment.image import Authorities, CardImage
from personalize.payment.rules import authentication, card, data, files, lists
from personalize.profiles.profile import Profile

RULES = (*files.RULES, *data.RULES, *lists.RULES, *authentication.RULES, *card.RULES)


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
