"""The names that other rooms use."""

from gossamer import evaluation


def test_public_names_exist() -> None:
    assert [name for name in evaluation.__all__ if not hasattr(evaluation, name)] == []
