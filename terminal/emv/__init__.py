"""EMV for our own and foreign applications: records and offline data authentication."""
