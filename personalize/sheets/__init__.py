"""Sheets on paper for packing and hand-over: delivery lists and envelope labels, as PDF and as a workbook."""
