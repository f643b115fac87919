"""API v1: routes, problem details, paging, idempotency."""
