"""Adapters: each imports its toolkit, in its own file, when it is made."""
