"""A user's rules file: what it can say, and the one sentence when it says something wrong."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.kernels.patterns import required
from ncu_roofline.knowledge.kernels.roles import classify_names, load_rules


def written(folder: Path, content: str) -> Path:
    file = folder / "mine.toml"
    file.write_text(content)
    return file


def rule(**stated: str) -> str:
    return "[[rule]]\n" + "".join(f"{key} = '{value}'\n" for key, value in stated.items())


def test_the_users_rule_stands_before_the_built_in_ones(tmp_path: Path) -> None:
    rules = load_rules(written(tmp_path, rule(id="ours", role="attention", function="^acme gemm")))

    answer = classify_names(pl.Series("name", ["acme_gemm_qk", "other_gemm"]), rules)

    assert answer.select(pl.col("role").cast(pl.String), "rule").rows() == [("attention", "ours"), ("fc", "ends-as-product")]


def test_a_rule_without_id_is_known_by_its_line(tmp_path: Path) -> None:
    rules = load_rules(written(tmp_path, "# ours\n\n" + rule(role="comm", name="^acme")))

    assert classify_names(pl.Series("name", ["acme_x"]), rules)["rule"].item() == "line 3"


def test_patterns_in_a_list_are_alternatives_and_unless_excludes(tmp_path: Path) -> None:
    content = "[[rule]]\nrole = 'copy'\nfunction = ['^ab$', '^cd']\nunless = 'ef'\n"
    rules = load_rules(written(tmp_path, content))

    answer = classify_names(pl.Series("name", ["ab", "cd_x", "cd_ef"]), rules)

    assert answer["role"].cast(pl.String).to_list() == ["copy", "copy", None]


GOOD = rule(role="fc", function="^acme")
BAD = {
    "unknown role": (rule(role="fcc", function="x"), 2, "unknown role 'fcc'"),
    "no role": (rule(function="x"), 1, "a rule without role"),
    "unknown key": ("[[rule]]\nrole = 'fc'\nfuncton = 'x'\n", 3, "unknown key 'functon'"),
    "unknown table": (GOOD + "[[rules]]\nrole = 'fc'\n", 4, "unknown key 'rules'"),
    "rule is no list": ("[rule]\nrole = 'fc'\n", 1, "not a list"),
    "no pattern": (rule(role="fc"), 1, "without a pattern"),
    "pattern is no text": ("[[rule]]\nrole = 'fc'\nfunction = 3\n", 3, "no pattern"),
    "pattern is empty": ("[[rule]]\nrole = 'fc'\nfunction = ''\n", 3, "no pattern"),
    "invalid pattern": (rule(role="fc", function="(open"), 3, "invalid pattern"),
    "look-around": (rule(role="fc", function="a(?!b)"), 3, "invalid pattern"),
    "nvtx and name": (rule(role="fc", nvtx="mlp", name="x"), 1, "both NVTX and a name"),
    "unknown role in over": ("[[rule]]\nrole = 'fc'\nnvtx = 'x'\nover = ['fcc']\n", 4, "over"),
    "over is a number": ("[[rule]]\nrole = 'fc'\nnvtx = 'x'\nover = 5\n", 4, "over"),
    "id is a list": ("[[rule]]\nrole = 'fc'\nnvtx = 'x'\nid = ['a']\n", 4, "id = ['a']; write a text"),
    "open is a number": ("[[rule]]\nrole = 'fc'\nnvtx = 'x'\nopen = 1\n", 4, "open = 1; write true or false"),
    "id of a built-in rule": (rule(id="norm", role="fc", function="x"), 1, "taken"),
    "id twice": (rule(id="a", role="fc", function="x") + rule(id="a", role="fc", function="y"), 5, "twice"),
    "syntax": ("[[rule]]\nrole = fc\n", 2, "not valid TOML"),
    "same pattern again": (GOOD + GOOD, 4, "can never match"),
    "narrower later": (rule(role="fc", function="flash") + rule(role="attention", function="flash_fwd"), 4, "can never match"),
    "everything first": (rule(role="fc", name=".*") + rule(role="attention", name="(a|b)c"), 4, "can never match"),
    "every alternative narrower": (
        rule(role="fc", function="ab") + rule(role="comm", function="xab|^aby"),
        4,
        "can never match",
    ),
}


@pytest.mark.parametrize(("content", "line", "what"), BAD.values(), ids=BAD)
def test_a_wrong_rules_file_is_one_sentence_with_its_line(tmp_path: Path, content: str, line: int, what: str) -> None:
    with pytest.raises(UnusableInput) as refused:
        load_rules(written(tmp_path, content))

    message = str(refused.value)
    assert message.startswith(f"mine.toml, line {line}: ")
    assert what in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "later",
    [
        rule(role="comm", function="^ab"),
        rule(role="comm", name="abc"),
        rule(role="comm", function="abc|d"),
        rule(role="comm", nvtx="abc"),
    ],
    ids=["anchored, other text", "another part", "an alternative of its own", "ranges"],
)
def test_a_rule_that_may_still_match_is_kept(tmp_path: Path, later: str) -> None:
    rules = load_rules(written(tmp_path, rule(role="fc", function="abc") + later))

    assert len([r for r in rules.rules if r.user]) == 2


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        (r"^triton (red|tem) fused.*\bbmm\b", ("triton ",)),
        (r"abc|de+f", ("abc", "de")),
        (r"colou?r", ("colo",)),
        (r"[xyz]ab", ("ab",)),
        (r"\d+", ("",)),
        (r"(?i)Abc", ("",)),
        (r"a\|b", ("a",)),
    ],
)
def test_the_plain_text_that_a_pattern_needs_is_found(pattern: str, texts: tuple[str, ...]) -> None:
    assert required(pattern) == texts
