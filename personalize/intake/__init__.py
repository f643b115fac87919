"""Intake: a registration form (xlsx, xls, csv) becomes accepted and rejected rows, with reasons.

``personalize.intake.annotate`` writes them back into the form; it is imported separately, as openpyxl is slow to load.
"""

from personalize.intake.check import KnownPerson, Lookup, check
from personalize.intake.codes import Language, RowCode, RowFault, RowNote, RowState, explain
from personalize.intake.files.content import Limits
from personalize.intake.values import Rejected, RosterReport, RosterRow, Row, RowOnRecord

__all__ = [
    "KnownPerson",
    "Language",
    "Limits",
    "Lookup",
    "Rejected",
    "RosterReport",
    "RosterRow",
    "Row",
    "RowCode",
    "RowFault",
    "RowNote",
    "RowOnRecord",
    "RowState",
    "check",
    "explain",
]
