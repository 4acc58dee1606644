"""The kit is right if correct toolkits pass it and known bugs do not."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import minprune
from minprune import conformance
from minprune.cli import main
from minprune.conformance import CHECKS, Toolkit, Unsupported, run
from minprune.conformance.registry import check
from minprune.conformance.toolkits.minprune import Adapter
from tests.conformance import mutants

MUTANTS = {
    name: cls
    for name, cls in vars(mutants).items()
    if inspect.isclass(cls)
    and issubclass(cls, mutants.Correct)
    and cls is not mutants.Correct
}
CAUGHT = json.loads(Path(__file__).with_name("caught.json").read_text())


def failed(report):
    return sorted(f.check for f in report.findings if f.status in ("failed", "broken"))


def test_a_correct_toolkit_passes_every_check():
    report = run(mutants.Correct())
    assert report.ok, report
    assert report.counts() == {"passed": len(CHECKS)}


def test_minprune_passes_every_check_that_its_trees_can_be_put_to():
    report = run(Adapter())
    assert report.ok, report
    lacking = [f.check for f in report.findings if f.status != "passed"]
    assert lacking == ["removal_shared"]  # its networks are trees
    assert report.counts()["passed"] == len(CHECKS) - 1 >= 60


def test_a_toolkit_without_capabilities_is_unsupported_and_passes_nothing():
    report = run(Toolkit())
    assert report.counts() == {"unsupported": len(CHECKS)}
    assert report.ok


def test_a_toolkit_passes_in_the_cases_it_supports_and_the_others_are_counted():
    class Straight(mutants.Correct):
        def schedule(self, curve, *frame):
            if curve != "linear":
                raise Unsupported(f"a {curve} schedule")
            return super().schedule(curve, *frame)

    (found,) = run(Straight(), only=["it_ends_at_final"]).findings
    assert found.status == "passed"
    assert found.message == "18 of 24 cases unsupported: a cubic schedule"
    (found,) = run(Straight(), only=["cubic_is_fast_first"]).findings
    assert found.status == "unsupported"


def test_there_are_at_least_twenty_bugs_and_each_names_its_checks():
    assert set(MUTANTS) == set(CAUGHT)
    assert len(MUTANTS) >= 20
    assert all(CAUGHT.values())


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_bug_from_the_wild_is_caught_by_exactly_the_checks_named(name):
    assert failed(run(MUTANTS[name]())) == CAUGHT[name]


UNCAUGHT = sorted(set(CHECKS) - {name for names in CAUGHT.values() for name in names})


@pytest.mark.parametrize("name", UNCAUGHT)
def test_a_check_that_no_bug_here_fails_can_fail(name):
    """It must at least fail on a toolkit of nonsense."""

    class Nonsense(mutants.Correct):
        def mask(self, scores, sparsity, scope, min_keep=None, previous=None):
            out = {}
            for key, score in scores.items():
                score += 1
                flip = (np.arange(score.size) + int(10 * np.nan_to_num(sparsity))) % 3
                out[key] = (flip == len(scores) % 3).reshape(score.shape)[..., None]
            return out

        def keep_of_group(self, scores, keep, group, axis):
            return scores > scores.mean()

        def unit_mask(self, scores, unit, sparsity, block=None):
            return np.arange(scores.size).reshape(scores.shape) % 2 == 1

        def allocate(self, method, shapes, sparsity):
            return dict.fromkeys(shapes, 1)

        def schedule(self, curve, step, *frame):
            return 0.3 + 0.1 * (-1) ** step

        def score(self, criterion, evidence):
            for array in evidence.values():
                array += 1
            return next(iter(evidence.values())) * 1.5

        def solve(self, criterion, evidence, options):
            mask, weight = super().solve(criterion, evidence, options)
            return mask, weight + 1

        def forward(self, weight, mask, x):
            weight += 1
            return x @ weight.T

        def backward(self, weight, mask, x, dy):
            return dy.T @ x + 1, dy @ weight + 1

        def store(self, weight, mask):
            return weight + 1, ~mask

        def shrink(self, weights, removed):
            return weights

        def compact(self, network, x, removed):
            return network

    assert failed(run(Nonsense(), only=[name])) == [name]


def test_every_clause_cited_stands_in_the_specification():
    root = Path(minprune.__file__).parent.parent
    text = (root / "docs" / "specification.md").read_text()
    stated = set(re.findall(r"\*\*([A-Z]\.\w+)", text))
    cited = {c.clause for c in CHECKS.values()}
    assert cited <= stated


def test_a_record_of_a_failure_is_strict_both_ways():
    toolkit = mutants.NeverRemovesAll()
    reasons = dict.fromkeys(CAUGHT["NeverRemovesAll"], "at least one is kept")
    report = run(toolkit, expected=reasons)
    assert report.ok
    assert report.counts()["expected"] == len(reasons)
    stale = run(mutants.Correct(), expected={"count_is_exact": "gone since 2.0"})
    assert not stale.ok
    assert stale.counts()["fixed"] == 1
    with pytest.raises(ValueError, match="did you mean 'count_is_exact'"):
        run(toolkit, expected={"count_is_exac": "misspelt"})
    with pytest.raises(ValueError, match="seeded checks"):
        run(toolkit, expected=reasons, max_examples=5)


def test_an_error_of_the_adapter_is_a_finding_not_a_crash():
    class Raises(Toolkit):
        def mask(self, *args):
            assert args is None, "an assertion inside a toolkit is no verdict of ours"

    report = run(Raises(), clause="M.2")
    assert set(report.counts()) == {"broken"}
    assert "AssertionError" in report.findings[0].message


def test_a_search_shrinks_its_counterexample_and_prints_it_as_numbers():
    report = run(mutants.FloorOfTheProduct(), only=["count_is_exact"], max_examples=200)
    (finding,) = report.findings
    assert finding.status == "failed"
    assert "scores = {'w': [" in finding.message
    size = int(re.search(r"of (\d+) different scores", finding.message)[1])
    assert size <= 51  # at sparsity 0.01 the floor first differs at 51 scores
    assert "--max-examples 200" in finding.repeat
    again = run(mutants.FloorOfTheProduct(), only=["count_is_exact"], max_examples=200)
    assert again == report


@pytest.mark.parametrize(
    ("chapter", "examples"),
    [*((chapter, 25) for chapter in "MPASFW"), ("R", 5), ("C", 2)],
)
def test_a_search_of_a_correct_toolkit_finds_nothing(chapter, examples):
    report = run(mutants.Correct(), clause=chapter, max_examples=examples)
    assert report.ok, report
    assert report.findings


@pytest.mark.parametrize(
    ("name", "counts", "ties"),
    [
        ("FloorOfTheProduct", "counts like 'nni", "cuts ties like"),
        ("TiesFallTogether", "counts like", "cuts ties like"),
        ("RatioIsWhatStays", "counts like no known contract", "cuts ties"),
    ],
)
def test_a_deviation_is_told_from_a_defect_by_the_profiles(name, counts, ties):
    report = run(MUTANTS[name](), clause="M")
    text = next(f.message for f in report.findings if "verdict" in f.message)
    assert ties in text
    assert counts.partition(" 'nni")[0] in text


def test_reports_carry_what_is_needed_to_repeat_them():
    report = run(mutants.TiesFallTogether(), clause="M", seed=3)
    found = json.loads(conformance.as_json(report))
    assert found.keys() >= {
        "toolkit",
        "version",
        "seed",
        "schema",
        "findings",
        "made_with",
    }
    keys = {"check", "clause", "status", "message", "repeat"}
    assert all(finding.keys() == keys for finding in found["findings"])
    assert "--seed 3" in next(f["repeat"] for f in found["findings"] if f["repeat"])
    suite = ElementTree.fromstring(conformance.as_junit(report))
    assert int(suite.get("tests")) == len(report.findings)
    assert len(suite.findall(".//failure")) == report.counts()["failed"]


def test_the_page_escapes_what_a_toolkit_says():
    class Evil(Toolkit):
        name = '<script src="//x">'

        def mask(self, *args):
            raise ValueError("<img src=x>")

    page = conformance.as_html([run(Evil(), clause="M"), run(mutants.Correct())])
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;img" in page
    assert page.count("<th>") == 4


def test_a_report_comes_back_from_its_file_and_stands_beside_another(tmp_path, capsys):
    report = run(mutants.SlowFirst(), clause="S")
    path, page = tmp_path / "slow.json", tmp_path / "page.html"
    path.write_text(conformance.as_json(report))
    assert conformance.read(path) == report
    words = ["conformance", "minprune", "--clause", "S", "--beside", str(path)]
    assert main([*words, "--html", str(page)]) == 0
    assert "<th>SlowFirst 0<small>" in page.read_text()
    assert main(words) == 2
    assert "expected --html" in capsys.readouterr().err
    for text in ("{}", "[]", "no", path.read_text().replace("passed", "perfect")):
        path.write_text(text)
        with pytest.raises(ValueError, match="no report in JSON"):
            conformance.read(path)


def test_what_cannot_be_decided_is_asked_all_the_same():
    """Filters two by two are equally far apart: their order is open."""
    report = run(Toolkit(), only=["score_fpgm_two_stage"], max_examples=40)
    assert report.counts() == {"unsupported": 1}


def test_a_name_is_filed_once():
    with pytest.raises(ValueError, match="filed twice"):

        @check("M.1", lambda rng: [])
        def count_is_exact(toolkit):
            """A second one of that name."""


def test_findings_come_in_the_order_of_the_specification():
    text = (Path(minprune.__file__).parents[1] / "docs/specification.md").read_text()
    stated = re.findall(r"^\*\*([A-Z]\.\d+)", text, re.MULTILINE)
    cited = [stated.index(check.clause) for check in conformance.chosen()]
    assert cited == sorted(cited)


def test_seeds_repeat_and_order_does_not_matter():
    whole = run(mutants.AlwaysRoundsUp(), seed=5)
    name = failed(whole)[0]
    alone = run(mutants.AlwaysRoundsUp(), seed=5, only=[name])
    assert alone.findings[0] in whole.findings


def test_the_command_answers_with_its_status(capsys, tmp_path):
    page = tmp_path / "page.html"
    words = ["conformance", "minprune", "--clause", "S", "--html", str(page)]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    assert "Conformance" in page.read_text()
    name = "tests.conformance.mutants:SlowFirst"
    assert main(["conformance", name, "--clause", "S"]) == 1
    said = capsys.readouterr().out
    assert f"minprune conformance {name} --only cubic_is_fast_first --seed 0" in said
    assert main(["conformance", "minprun"]) == 2
    assert "did you mean 'minprune'" in capsys.readouterr().err
    assert main(["conformance", "nowhere:Adapter"]) == 2
    assert main(["conformance", "minprune", "--clause", "Q.7"]) == 2


def test_checks_do_not_vanish_under_optimization():
    """Deviations are raised, not asserted: python -O must find them too."""
    code = """
from tests.conformance import mutants
from minprune.conformance import run
print(run(mutants.OneTooFew(), only=["count_is_exact"]).ok)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-O", "-c", code],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_unsupported_says_what_is_missing():
    with pytest.raises(Unsupported, match="schedules"):
        Toolkit().schedule("cubic", 1, 0.9, 0, 10, 1, 0.0)
