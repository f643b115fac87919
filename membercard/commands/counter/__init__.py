"""The counter: cards verified and brought up to date, benefits redeemed, and the lists that it carries."""
