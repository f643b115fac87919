"""Rushes (限量抢票): tickets of limited stock, first come first served."""
