"""For developers: a payment terminal, GlobalPlatform card management, and card data in words."""
