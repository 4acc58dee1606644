"""minprune bench: the benchmarks of the source tree."""

import argparse

SUMMARY = "Time the engine against peers in the same run (needs the source tree)."
EXAMPLE = "minprune bench sparse --json"


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "name", nargs="?", default="sparse", help="a script in benchmarks/ (sparse)"
    )
    parser.add_argument(
        "more", nargs=argparse.REMAINDER, help="options of that script; see its --help"
    )


def run(args: argparse.Namespace) -> int:
    """Run the script in a process of its own, so that thread counts can be set."""
    import subprocess
    import sys
    from pathlib import Path

    import minprune
    from minprune._check import one_of

    root = Path(minprune.__file__).parent.parent
    scripts = {
        path.stem
        for path in (root / "benchmarks").glob("*.py")
        if "def main" in path.read_text(encoding="utf-8")
    }
    if not scripts:
        raise ValueError(
            f"bench: there is no {root / 'benchmarks'}; benchmarks come with the "
            f"source tree, not with an installed package"
        )
    one_of("bench", "benchmark", args.name, scripts)
    words = [sys.executable, "-m", f"benchmarks.{args.name}", *args.more]
    words += ["--json"] if args.json and "--json" not in args.more else []
    return subprocess.run(words, cwd=root, check=False).returncode
