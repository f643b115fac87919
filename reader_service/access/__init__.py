"""Access: passwords, sessions, tokens, throttling, cookies and protection against forged requests."""
