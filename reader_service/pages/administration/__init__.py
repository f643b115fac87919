"""Pages of administration: users, units, the audit, and what waits for a signature."""
