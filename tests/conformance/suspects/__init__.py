"""Suspected defects of toolkits, executed: what the checks of the kit cannot express.

Run by the interpreter of a toolkit, from the root of the repository::

    PYTHON -m tests.conformance.suspects torch_pruning

There is one file for each toolkit. Each function that begins with its name is one
suspicion and prints what happened beside what was expected; docs/conformance.md has the
answers. Toolkits are imported where they are used.
"""
