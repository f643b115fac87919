"""The programme over HTTP: merchants, redemptions and findings."""
