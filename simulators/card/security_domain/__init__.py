"""The issuer security domain: secure channels SCP02 and SCP03, card content, keys, life cycles, personalization.

GPC 2.3.1 and its Amendment D 1.2.
"""
