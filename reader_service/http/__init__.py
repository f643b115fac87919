"""HTTP plumbing that every resource uses: middleware, errors, idempotency, paging, limits."""
