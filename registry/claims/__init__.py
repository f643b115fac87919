"""Claims: filed, reviewed level by level, paid once."""
