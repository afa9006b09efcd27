"""The page of kernel sums against the step: as generated, and its main figures by hand."""

from tools.steps import PAGE, lines, page, story, timing


def test_the_page_is_what_captures_and_timings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run make docs"


def test_the_same_step_has_two_amounts_of_bytes_and_four_times() -> None:
    rows = {(what.split(",")[0], how.split(",")[0]): rest for what, how, *rest in story()}

    assert rows["H100", "kernels one by one"][0] == "3.073 GB" and rows["H100", "kernels one by one"][2] == "1.61 ms"
    assert rows["H100", "graph replay"][2] == "1.43 ms" and rows["H100", "launched one by one"][2] == "3.37 ms"
    assert rows["H200", "kernels one by one"][0] == "3.074 GB" and rows["H200", "one graph"][:2] == ["3.070 GB", "18 MB"]
    # 3.0728 GB in 1.432 ms of 3.35 TB/s
    assert rows["H100", "graph replay"][3] == "64.1 %"


def test_every_timing_stands_beside_its_floor() -> None:
    every = [timing(line) for line in lines()]
    dense = next(t for t in every if t[:4] == ("H100", "llama-3.1-8b dense", "32", "8"))

    assert len(every) == 22
    # (15.01 + 2.147) GB / 3.35 TB/s = 5.12 ms; 8.01 / 5.12 = 1.56
    assert dense[5:8] == ("17.2 GB", "5.12 ms", "8.01 ms") and dense[9:] == ("1.56", "63.9 %")
