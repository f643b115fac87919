"""Use-cases of administration: users, units, the audit, and second signatures."""
