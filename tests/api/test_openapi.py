"""The server against its own description, walked through by Schemathesis.

Every operation is asked at the limits of its description and beyond them, at random, and in whole
sessions along the description's links.  Nothing may be a server error, an undocumented status, a
content type or a body other than described.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.api.server import program

WALKER = Path(sys.executable).with_name("schemathesis")
EXAMPLES = 30
PATIENCE_S = 300
NOT_CHECKED = (
    # A JSON Schema calls 5.0 an integer and cannot say what an endpoint is; and whether a seat is
    # free, left or burned is no matter of a schema.
    "positive_data_acceptance",
    # A session that is opened again by the same secret may be over.
    "ensure_resource_availability",
)
SETTINGS = {
    "MIDAIR_RENDEZVOUS_POLL_S": "0.01",
    "MIDAIR_RENDEZVOUS_SETTLE_S": "0",
    "MIDAIR_RENDEZVOUS_VISITS": "1000000",
    "MIDAIR_RENDEZVOUS_GUESSES": "1000000",
}


def test_server_when_walked_through_by_its_description_keeps_to_it(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command: list[str | Path] = [WALKER, "run", "--checks", "all", "--no-color"]
    command += ["--exclude-checks", ",".join(NOT_CHECKED), "--max-examples", str(EXAMPLES)]
    command += ["--generation-database", "none", "--continue-on-failure"]
    command += ["--report", "json", "--report-json-path", report]
    if os.environ.get("CI"):
        command += ["--seed", "1"]
    with program(prefix=(), **SETTINGS) as served:
        run = subprocess.run(
            [*command, f"{served.url}/openapi.json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert run.returncode == 0, run.stdout
        assert served.end() == (0, "")

    told = json.loads(report.read_text())
    phases = {name: phase["status"] for name, phase in told["phases"].items()}
    # The description has no examples.
    assert phases == {
        "examples": "skip",
        "coverage": "success",
        "fuzzing": "success",
        "stateful": "success",
    }
    assert told["operations"]["tested"] == told["operations"]["total"] == 8
