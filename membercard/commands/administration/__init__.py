"""Administration: losses, amendments, units, users, the audit, and a restored database."""
