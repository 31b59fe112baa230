"""Credentials that a provider issues, and that a rotation therefore cannot choose."""
