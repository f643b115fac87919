"""The use-cases behind API and pages: each checks the permission, does the work and leaves an audit entry."""
