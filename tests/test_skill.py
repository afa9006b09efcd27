"""What SKILL.md promises agents holds on our own captures."""

from tools.skill import score


def test_every_question_of_the_skill_is_answered_without_a_forbidden_conclusion() -> None:
    assert [text for text, good in score().items() if not good] == []
