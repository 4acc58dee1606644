"""The command line: one file per command, each thin over the library.

Every command has `--json` (machine-readable to stdout, logs and progress to stderr),
`--seed`, and an exit status: 0 good, 1 the thing checked failed, 2 unusable arguments
or files, 130 interrupted. A command is a module with `SUMMARY`, `EXAMPLE`,
`options(parser)` and `run(args)`; it imports what is heavy inside `run`, so that help
answers at once.
"""

import argparse
import importlib
import pkgutil
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from minprune._version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    args = parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            # Training stops by itself where numbers leave the range, and says where.
            warnings.simplefilter("ignore", RuntimeWarning)
            status: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(
            f"minprune {args.command}: interrupted; no file was left half-written",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:  # whoever read us, `head` for one, has seen enough
        sys.stderr.close()
        return 0
    except (ValueError, OSError, FloatingPointError, MemoryError) as fault:
        said = str(fault).removeprefix(f"{args.command}: ")
        if isinstance(fault, OSError) and fault.filename:
            said = f"{fault.filename}: {fault.strerror}"
        print(f"minprune {args.command}: {said}", file=sys.stderr)
        return 2
    return status


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Leave with status 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def natural(text: str) -> int:
    """A seed from the command line: a whole number, 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, 0 or more")
    return int(text)


def parser() -> Parser:
    """The parser of every command."""
    top = Parser(
        prog="minprune",
        description="Prune neural networks, transparently, and run them sparsely.",
        epilog="Each command explains itself: minprune COMMAND --help",
    )
    top.add_argument("--version", action="version", version=f"minprune {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for found in pkgutil.iter_modules(__path__):
        if found.name.startswith("_"):
            continue
        module = importlib.import_module(f"{__name__}.{found.name}")
        command = commands.add_parser(
            found.name.rstrip("_"),
            help=module.SUMMARY,
            description=module.SUMMARY,
            epilog=f"example:\n  {module.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument(
            "--json", action="store_true", help="print one JSON object to stdout"
        )
        command.add_argument(
            "--seed",
            type=natural,
            default=0,
            help="seed of everything drawn (default 0)",
        )
        module.options(command)
        command.set_defaults(run=module.run)
    return top
