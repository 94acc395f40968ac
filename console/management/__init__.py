"""Command-line twins of the verbs."""
