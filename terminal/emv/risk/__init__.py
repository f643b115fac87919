"""Processing restrictions, terminal risk management and action analysis. EMV 4.4 Book 3, 10.4, 10.6, 10.7."""
