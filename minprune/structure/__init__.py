"""Channels that must go together, and taking them out for good."""
