"""The command's fixtures, made in `tests/fixtures`."""

from tests.fixtures.waymark_up import shared_stack, up

__all__ = ["shared_stack", "up"]
