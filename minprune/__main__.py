"""``python -m minprune`` is the command ``minprune``."""

from minprune.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
