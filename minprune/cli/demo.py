"""minprune demo: the main job from end to end, on real data that ships with it."""

import argparse
from typing import Any

SUMMARY = "Train, prune, recover, measure and export a small network on real data."
EXAMPLE = "minprune demo --dataset digits --folder minprune-demo"


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "--dataset", default="digits", help="digits, watch, jvowels or mnist1d (digits)"
    )
    parser.add_argument(
        "--folder", default="minprune-demo", help="where the files go (minprune-demo)"
    )


def run(args: argparse.Namespace) -> int:
    """Tell the story, write the page; 1 if the player does not agree."""
    from pathlib import Path

    from minprune.cli._show import Progress, as_json
    from minprune.study import demo, report

    show = Progress()
    story = demo.demo(args.dataset, args.folder, seed=args.seed, tell=show)
    page = Path(args.folder) / "report.html"
    report.write(story, page)
    story.figures["files"]["report"] = str(page)
    show.clear()
    if args.json:
        as_json(story.figures)
    else:
        print(_told(story.figures))
    return 0 if story.figures["player_agrees"] else 1


def _told(figures: dict[str, Any]) -> str:
    """The figures for a person."""
    from minprune.cli._show import table
    from minprune.study.report import comparison

    rows = comparison(figures)
    agrees = "agrees with" if figures["player_agrees"] else "DIFFERS FROM"
    return "\n".join(
        [
            f"{figures['dataset']}, {figures['model']}, pruned by "
            f"{figures['criterion']} to {figures['sparsity']:.1%} sparsity, "
            f"recovery {figures['recovery']:.2f}",
            "",
            table(["", "dense", "pruned", "change"], rows),
            "",
            f"The single-file player {agrees} the engine on the whole test split: "
            f"largest difference {figures['player_difference']:.1e}, "
            f"{figures['player_share_of_bound']:.2g} of the rounding bound.",
            "",
            *(f"{name + ':':<9}{path}" for name, path in figures["files"].items()),
        ]
    )
