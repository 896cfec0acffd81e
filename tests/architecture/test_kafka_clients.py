"""Every client of Kafka is made from one value: one that named servers alone would come in without TLS and user."""

import re

from tests.architecture.tree import PACKAGES, ROOT, modules


def test_no_client_is_made_of_servers_alone() -> None:
    naked = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in modules(*PACKAGES)
        for found in re.finditer(
            r"bootstrap_servers\s*=|(?:Producer|LogEnds|cluster_line)\(\s*\w+\.kafka\b", path.read_text()
        )
    ]

    assert naked == []
