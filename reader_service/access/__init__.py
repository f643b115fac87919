"""Who may: passwords, sessions, tokens, throttling, and what a browser is told to allow."""
