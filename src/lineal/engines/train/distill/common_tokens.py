"""Student and teacher must mean the same by a token: a teacher's predictions are of its own."""

from collections.abc import Mapping

from lineal.errors import MethodError


def check_sizes(student: str, ours: object, teacher: str, theirs: object) -> None:
    """As many logits in both."""
    if ours != theirs:
        raise MethodError(
            f"distill: the student {student} has logits for {ours} tokens, the teacher {teacher} for "
            f"{theirs}; they must be equal"
        )


def check_vocabularies(
    student: str, ours: Mapping[str, int] | None, teacher: str, theirs: Mapping[str, int] | None
) -> None:
    if ours != theirs:
        raise tokenizers_differ(student, teacher)


def tokenizers_differ(student: str, teacher: str) -> MethodError:
    return MethodError(
        f"distill: the tokenizers of the student {student} and the teacher {teacher} differ; "
        "a teacher's predictions are of its own tokens"
    )
