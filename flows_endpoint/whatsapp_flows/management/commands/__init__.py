"""Commands of the endpoint side."""
