"""Administration: users, sessions, tokens, the audit, idempotency keys, stations, plans and statistics."""
