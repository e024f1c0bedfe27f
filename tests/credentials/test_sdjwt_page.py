"""The example on the page runs as it stands there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sdjwt.md"


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    [example] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    script = tmp_path / "example.py"
    script.write_text(example, encoding="utf-8")
    assert runpy.run_path(str(script))["verified"].vct.endswith("/resident")
