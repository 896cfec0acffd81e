import hashlib
from pathlib import Path

from waymark.launchers.jars import differences


def test_a_jar_that_is_not_the_pinned_one_is_found(tmp_path: Path) -> None:
    (tmp_path / "good.jar").write_bytes(b"good")
    (tmp_path / "bad.jar").write_bytes(b"bad")
    (tmp_path / "extra.jar").write_bytes(b"extra")
    pinned = {"good.jar": hashlib.sha256(b"good").hexdigest(), "bad.jar": "0" * 64, "gone.jar": "0" * 64}
    assert differences(tmp_path, pinned) == ["gone.jar is missing", "extra.jar is not pinned", "bad.jar differs"]
