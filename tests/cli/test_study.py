"""The tables of the results page at the terminal."""

import json

from minprune.cli import main


def test_one_table_of_one_seed_is_printed_and_told_to_a_machine(capsys, monkeypatch):
    from minprune.study import procedures, tables

    def critical(seeds, progress):
        progress("half-way")
        return [tables.Cell("SynFlow", "log10", tuple(4.9 for _ in seeds))]

    monkeypatch.setattr(procedures, "critical", critical)
    words = ["study", "procedures", "--table", "critical", "--seeds", "2"]
    assert main(words) == 0
    assert "| SynFlow | 4.9 ± 0.0 |" in capsys.readouterr().out
    assert main([*words, "--json", "--seed", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["seeds"] == [3, 4]
    assert found["critical"][0]["values"] == [4.9, 4.9]


def test_no_seeds_are_refused(capsys):
    assert main(["study", "procedures", "--seeds", "0"]) == 2
    assert "seeds is 0" in capsys.readouterr().err
