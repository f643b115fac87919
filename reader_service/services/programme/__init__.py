"""Use-cases of the programme: merchants, uploads of redemptions, and the findings that people decide."""
