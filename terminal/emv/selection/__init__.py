"""Application selection and initiation. EMV 4.4 Book 1, 12; Book 3, 10.1 and 10.2."""
