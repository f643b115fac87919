"""The payment application: its profile, its data, the directories that list it, and a linter for both."""
