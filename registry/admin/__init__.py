"""Users and what they did: accounts, sessions, tokens, audit, stations, plans and statistics."""
