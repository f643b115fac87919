"""The programme in the office: merchants, redemptions that counters upload, and the findings that people decide."""
