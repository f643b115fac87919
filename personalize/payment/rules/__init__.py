"""The linter's rules, by what they look at."""
