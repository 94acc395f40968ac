"""Formats of languages, as Django looks for them."""
