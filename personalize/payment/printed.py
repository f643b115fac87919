"""The account on a card's face, where a bank prepared the payment application."""

from __future__ import annotations

from dataclasses import replace

from personalize.dossiers.dossier import Dossier
from personalize.payment.validity import payment_dates
from personalize.profiles.face import FaceText


def printed_with_account(dossier: Dossier, pan: str) -> Dossier:
    """The dossier with account number and expiry on its face as its payment application has them; the same dossier
    where nothing is printed."""
    if not dossier.face or dossier.payment is None:
        return dossier
    face = {**dossier.face, FaceText.PAN.value: pan}
    if ends := next((dated.day for dated in payment_dates(dossier.payment) if not dated.starts), None):
        face[FaceText.VALID_UNTIL.value] = ends.isoformat()
    return replace(dossier, face=face)
