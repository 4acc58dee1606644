"""How checks are put: cases that a toolkit lacks, and errors of its own."""

from minprune.conformance import Toolkit, Unsupported, run
from minprune.conformance.toolkits.minprune import Adapter


class CubicOnly(Adapter):
    """As minprune, with one schedule, and that one wrong."""

    def schedule(self, curve, *frame):
        if curve != "cubic":
            raise Unsupported(f"a {curve} schedule")
        return super().schedule("linear", *frame)


class Raises(Toolkit):
    """Selects nothing from more than three scores."""

    def mask(self, scores, sparsity, scope, min_keep=None, previous=None):
        (score,) = scores.values()
        if score.size > 3:
            raise ZeroDivisionError("too many")
        return Adapter().mask(scores, sparsity, scope, min_keep, previous)


def test_a_search_goes_on_past_what_a_toolkit_lacks():
    (finding,) = run(CubicOnly(), only=["it_ends_at_final"], max_examples=40).findings
    assert finding.status == "passed"
    assert "cases unsupported: a " in finding.message


def test_a_search_says_unsupported_when_every_case_is():
    (finding,) = run(Toolkit(), only=["it_ends_at_final"], max_examples=5).findings
    assert (finding.status, finding.message) == ("unsupported", "schedules")


def test_an_error_is_told_with_the_numbers_that_raise_it():
    (seeded,) = run(Raises(), only=["ties_do_not_change_the_count"]).findings
    assert seeded.status == "broken"
    assert seeded.message.startswith("ZeroDivisionError: too many\n  scores = {'w': [")
    (searched,) = run(
        Raises(), only=["ties_do_not_change_the_count"], max_examples=200
    ).findings
    assert "scores = {'w': [0.0, 0.0, 0.0, 0.0]}" in searched.message  # the smallest
