"""Break the package one line at a time and see whether a test notices.

    python tests/mutants.py masks criteria
    python tests/mutants.py masks --file minprune/masks/count.py --limit 20 --list

A mutant is a copy of the package with one small change to one expression: a comparison
loosened, tightened or turned around, a sum taken for a difference, an absolute value or
a normalization left out, a constant one off, an `and` for an `or`. The tests of the
room it lies in, and the doctests of its file, run against the copy; a mutant that
passes them all *survives* and points at something that no test claims.

The changes are drawn from all that are possible, evenly over the files of the room, so
that the figure does not depend on what somebody thought of testing. A seed repeats a
draw. The checkout is not touched: mutants live in a temporary directory.

Prints one line a mutant, then killed, survived and the share killed for each room. The
exit status is 1 if a share is below ``--floor``.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent

NO_TESTS = 5
"""What pytest returns when it finds nothing to run, such as a file without doctests."""

UNSHRUNK = """
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "unshrunk",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=50,
    phases=(Phase.explicit, Phase.generate),
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)
"""
"""The conftest.py of a copy: one failing example is enough, whatever its size."""

COMPARISONS: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.GtE],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.LtE],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
}
OPERATORS: dict[type[ast.operator], list[type[ast.operator]]] = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.FloorDiv: [ast.Mult],
    ast.Mod: [ast.FloorDiv],
    ast.BitAnd: [ast.BitOr],
    ast.BitOr: [ast.BitAnd],
}
DROPPED = {"abs", "absolute", "square", "sqrt", "ceil", "floor", "round", "sorted"}
"""Calls that are left out: what they are given takes their place."""

SWAPPED = {
    "min": "max",
    "max": "min",
    "minimum": "maximum",
    "maximum": "minimum",
    "argmax": "argmin",
    "argmin": "argmax",
    "any": "all",
    "all": "any",
    "sum": "mean",
    "mean": "sum",
    "ceil": "floor",
    "floor": "ceil",
    "zeros": "ones",
    "ones": "zeros",
}


@dataclass(frozen=True)
class Mutant:
    """One change to one file."""

    file: Path
    line: int
    what: str
    text: str


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What one node of a syntax tree could be turned into, with the change in words."""
    new = copy.deepcopy(node)
    match new:
        case ast.Compare(ops=[op]):
            for other in COMPARISONS.get(type(op), []):
                new.ops = [other()]
                yield f"{type(op).__name__} to {other.__name__}", copy.deepcopy(new)
        case ast.BinOp(op=op, left=left):
            for other in OPERATORS.get(type(op), []):
                new.op = other()
                yield f"{type(op).__name__} to {other.__name__}", copy.deepcopy(new)
            if isinstance(op, ast.Div):
                yield "drop a division", left
        case ast.UnaryOp(op=ast.USub() | ast.Not() | ast.Invert(), operand=operand):
            yield f"drop {type(new.op).__name__}", operand
        case ast.BoolOp(op=op):
            new.op = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield f"{type(op).__name__} to {type(new.op).__name__}", new
        case ast.Constant(value=bool(value)):
            yield f"{value} to {not value}", ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield f"{value} to {value + 1}", ast.Constant(value + 1)
        case ast.IfExp(body=body, orelse=orelse):
            yield "take the if", body
            yield "take the else", orelse
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args):
            if name in DROPPED and args:
                yield f"drop {name}", args[0]
            if name in SWAPPED:
                if isinstance(new.func, ast.Name):
                    new.func.id = SWAPPED[name]
                elif isinstance(new.func, ast.Attribute):
                    new.func.attr = SWAPPED[name]
                if not (isinstance(new.func, ast.Name) and SWAPPED[name] == "mean"):
                    yield f"{name} to {SWAPPED[name]}", new


def expressions(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes that compute something: no annotations, no wording of errors."""
    skip: set[int] = set()
    for node in ast.walk(tree):
        if id(node) in skip:
            continue
        hidden: list[ast.AST | None] = []
        match node:
            case ast.FunctionDef(returns=returns, decorator_list=decorators):
                every = [*node.args.args, *node.args.kwonlyargs]
                hidden = [returns, *decorators, *(a.annotation for a in every)]
            case ast.ClassDef(decorator_list=decorators):
                hidden = [*decorators]
            case ast.AnnAssign(annotation=annotation):
                hidden = [annotation]
            case ast.Raise() | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
                hidden = [node]
        for part in hidden:
            if part is not None:
                skip |= {id(below) for below in ast.walk(part)}
        if id(node) not in skip:
            yield node


def mutants(file: Path) -> Iterator[Mutant]:
    """Every change of one file, as the whole text of the changed file."""
    source = file.read_text()
    tree = ast.parse(source)
    for node in expressions(tree):
        if not isinstance(node, ast.expr):
            continue
        start, end = offsets(source, node)
        for what, new in changes(node):
            changed = f"{source[:start]}({ast.unparse(new)}){source[end:]}"
            try:
                compile(changed, str(file), "exec")
            except SyntaxError:
                continue
            if ast.dump(ast.parse(changed)) != ast.dump(tree):
                yield Mutant(file, node.lineno, what, changed)


def offsets(source: str, node: ast.expr) -> tuple[int, int]:
    """Where a node begins and ends, in characters."""
    lines = source.splitlines(keepends=True)

    def at(line: int, column: int) -> int:
        before = sum(len(text) for text in lines[: line - 1])
        return before + len(lines[line - 1].encode()[:column].decode())

    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)


def draw(room: str, only: list[str], limit: int, seed: int) -> list[Mutant]:
    """Up to `limit` mutants of a room, taken in turns from its files."""
    rng = random.Random(seed)
    stacks = []
    for file in sorted((HERE / "minprune" / room).rglob("*.py")):
        if not only or str(file.relative_to(HERE)) in only:
            stack = list(mutants(file))
            rng.shuffle(stack)
            stacks.append(stack)
    turns = chain.from_iterable(zip_longest(*stacks))
    return [mutant for mutant in turns if mutant is not None][:limit]


def passes(room: str, mutant: Mutant | None, workshop: Path, timeout: float) -> bool:
    """Whether a copy of the package, with the mutant in it, passes the room's tests."""
    where = Path(tempfile.mkdtemp(dir=workshop))
    for part in ("minprune", "tests", "docs"):
        ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache")
        shutil.copytree(HERE / part, where / part, ignore=ignored)
    shutil.copy(HERE / "pyproject.toml", where)
    stages = [where / "tests" / room]
    if mutant is not None:
        inside = mutant.file.relative_to(HERE)
        (where / inside).write_text(mutant.text)
        # The tests most likely to notice come first: those named like the file.
        names = {mutant.file.stem.strip("_"), mutant.file.parent.name}
        near = [where / "tests" / room / f"test_{name}.py" for name in sorted(names)]
        stages = [*(file for file in near if file.exists()), where / inside, *stages]
    (where / "conftest.py").write_text(UNSHRUNK)
    environment = os.environ | {
        "MINPRUNE_PROFILE": "unshrunk",
        "PYTHONPATH": str(where),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    try:
        for stage in stages:
            outcome = subprocess.run(
                [*command, str(stage)],
                cwd=where,
                env=environment,
                capture_output=True,
                timeout=timeout,
                check=False,
            )
            if outcome.returncode not in (0, NO_TESTS):
                return False
    except subprocess.TimeoutExpired:
        return False
    finally:
        shutil.rmtree(where)
    return True


def main() -> int:
    """Run the draw and print what became of each mutant."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rooms", nargs="+", help="folders of minprune/, such as masks")
    parser.add_argument("--file", action="append", default=[], help="only this file")
    parser.add_argument("--limit", type=int, default=40, help="mutants a room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=120, help="seconds a stage")
    parser.add_argument("--minutes", type=float, default=30, help="stop after these")
    parser.add_argument("--floor", type=float, default=0.9, help="share to be killed")
    parser.add_argument("--list", action="store_true", help="show, do not run")
    wanted = parser.parse_args()
    drawn = [
        (room, mutant)
        for room in wanted.rooms
        for mutant in draw(room, wanted.file, wanted.limit, wanted.seed)
    ]
    until = time.monotonic() + 60 * wanted.minutes
    fates: dict[str, list[bool]] = {room: [] for room in wanted.rooms}

    with (
        tempfile.TemporaryDirectory(prefix="mutants-") as folder,
        ThreadPoolExecutor(wanted.jobs) as pool,
    ):

        def run(one: tuple[str, Mutant | None]) -> bool | None:
            if wanted.list or time.monotonic() > until:
                return None
            return passes(*one, Path(folder), wanted.timeout)

        for room in wanted.rooms:
            if run((room, None)) is False:
                parser.error(f"the tests of {room} fail without any mutant")
        for (room, mutant), lives in zip(drawn, pool.map(run, drawn), strict=True):
            place = f"{mutant.file.relative_to(HERE)}:{mutant.line}"
            if lives is not None:
                fates[room].append(lives)
            word = {None: "not run", True: "SURVIVED", False: "killed"}[lives]
            print(f"{word:<9} {place:<45} {mutant.what}", flush=True)
    good = True
    for room, lived in fates.items():
        if lived:
            share = 1 - sum(lived) / len(lived)
            good &= share >= wanted.floor
            killed = len(lived) - sum(lived)
            print(f"{room}: {killed} of {len(lived)} killed ({share:.1%})")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
