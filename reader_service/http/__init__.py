"""HTTP plumbing that every resource uses: the application, middleware, errors, idempotency, limits."""
