"""Roles by name alone, against names collected from the sources of engines and labelled before the rules saw them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import polars as pl

from ncu_roofline.capture.schema import ROLES
from ncu_roofline.knowledge.kernels.roles import classify_names, load_rules
from tests.corpus import needs_corpus
from tests.role_list import LIST, MAIN

NAMES = Path(__file__).parents[2] / "data" / "unseen_names.tsv"
"""name, engine, label, alternatives (by `/`), certainty, repository and file, sample: A developed on, the others kept back at first,
M and half of N and O from memory."""


@lru_cache
def collected() -> pl.DataFrame:
    rows = pl.read_csv(NAMES, separator="\t", quote_char=None, infer_schema=False).fill_null("")
    told = classify_names(rows["name"], load_rules())
    said = told.select("name", "likely", said=pl.col("role").cast(pl.String), rule="rule")
    both = rows.join(said, on="name", how="left", maintain_order="left")
    accepted = pl.concat_list(pl.col("label"), pl.col("alternatives").str.split("/"))
    return both.with_columns(right=accepted.list.contains(pl.col("said")).fill_null(False))


def certain() -> pl.DataFrame:
    return collected().filter(pl.col("certainty") == "certain")


def test_at_least_95_of_100_collected_names_that_a_name_can_decide_get_their_role() -> None:
    wrong = certain().filter(~pl.col("right"))

    assert certain().select(pl.col("right").mean()).item() >= 0.95, wrong.select("name", "label", "said", "rule").rows()


def test_what_a_collected_name_is_said_to_prove_is_right_in_99_of_100() -> None:
    proven = certain().filter(~pl.col("likely"))

    assert proven.height >= 0.65 * certain().height
    assert proven.select(pl.col("right").mean()).item() >= 0.99, proven.filter(~pl.col("right")).select("name", "said").rows()


def test_at_least_9_of_10_of_all_collected_names_get_their_role() -> None:
    assert collected().select(pl.col("right").mean()).item() >= 0.90


def test_at_most_1_in_100_collected_fc_and_attention_names_is_taken_for_the_other() -> None:
    main = collected().filter(pl.col("label").is_in(MAIN))
    crossed = main.filter(~pl.col("right") & pl.col("said").is_in(MAIN))

    assert crossed.height <= 0.01 * main.height, crossed.select("name", "label", "said", "rule").rows()


def test_every_collected_label_and_alternative_is_a_role() -> None:
    accepted = pl.concat([collected()["label"], collected()["alternatives"].str.split("/").explode()])

    assert set(accepted.drop_nulls()) <= {*ROLES, ""}


@needs_corpus
def test_no_collected_name_stands_in_the_public_list() -> None:
    listed = pl.read_csv(LIST, separator="\t", quote_char=None, infer_schema=False)["name"]

    assert set(collected()["name"]) & set(listed) == set()
