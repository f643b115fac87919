"""The linter's rules, by subject."""
