"""Every kind of application that a card can have, in the order of the line. Directories are last, so that no terminal
finds an application that is not complete."""

from __future__ import annotations

from typing import Final

from personalize.dossiers.dossier import DIRECTORY, MEMBER, PAYMENT
from personalize.member.prepare import MemberPreparer
from personalize.member.readback import read_back_member
from personalize.member.validity import member_dates
from personalize.payment.directories import DirectoryPreparer
from personalize.payment.prepare import PaymentPreparer
from personalize.payment.readback import read_back_directory, read_back_payment
from personalize.payment.validity import payment_dates
from personalize.protocols import ApplicationKind

APPLICATIONS: Final = (
    ApplicationKind(MEMBER, MemberPreparer, read_back_member, member_dates),
    ApplicationKind(PAYMENT, PaymentPreparer.for_run, read_back_payment, payment_dates),
    ApplicationKind(DIRECTORY, DirectoryPreparer.for_run, read_back_directory),
)
