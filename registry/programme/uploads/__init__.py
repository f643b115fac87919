"""Rows that counters upload: their journals, the locks under which they are booked, and what waits in findings."""
