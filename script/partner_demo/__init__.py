"""One partner of each protocol, played over HTTP against a running server, step by step.

A partner has an HTTP client, the client side of :mod:`crypto_schemes`, the credentials that
were handed over, and a receiver for callbacks: nothing else. ``script/demo`` runs it.
"""
