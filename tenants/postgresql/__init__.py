"""Django's PostgreSQL backend, with less between a statement and the wire."""
