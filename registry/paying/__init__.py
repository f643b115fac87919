"""Payouts: every payment is one instruction to one account, and leaves in one bank batch (代发)."""
