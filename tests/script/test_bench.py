"""script/bench: what counts as an aim reached, what goes over the wire, and the picture."""

from __future__ import annotations

import io
import json
from xml.etree import ElementTree

import pytest
from rich.console import Console

from crypto_schemes.envelope import SealedRequest
from script.benchmark import flame, picture, primitives, report
from script.benchmark.aims import judge
from script.benchmark.load import Latency, Run
from script.benchmark.machine import Cores
from script.benchmark.measure import Grown, OnDatabase, Plan
from script.benchmark.report import Report
from script.benchmark.traffic import Sent

pytestmark = pytest.mark.once

ALONE = {primitives.OAEP_2048: 3000.0, primitives.PKCS1_2048: 3000.0, primitives.PKCS1_4096: 600.0}


def run(rate: float, core_rate: float = 0) -> Run:
    return Run(10_000, rate, core_rate or rate, 1.0, 2.0)


BARE = {"json": run(2500), "flow": run(1400)}


def measured() -> OnDatabase:
    return OnDatabase(
        "PostgreSQL + Redis",
        runs={
            "whatsapp": run(1100, 1500),
            "flynn_cbc": run(750),
            "kairos": run(419),
            "isu_bill": run(999, 1250),
        },
        latencies=[Latency(275, 1, 2, 3), Latency(550, 1, 20.0, 30), Latency(825, 1, 50, 90)],
        one_process=run(1000),
        two_processes=run(1799, 901),
        grown=[
            Grown(10, 10, run(1000), 90, 1.0, 1.0),
            Grown(10_010, 10, run(950), 95, 1.0, 1.0),
            Grown(10_010, 10_000, run(949), 251, 16.0, 1.0),
        ],
    )


def test_each_aim_is_judged_by_its_own_number() -> None:
    reached = {
        (verdict.what, verdict.aim): (verdict.value, verdict.reached)
        for verdict in judge(ALONE, BARE, measured())
    }
    assert reached == {
        ("WhatsApp data_exchange", "≥ 1,100 req/s"): ("1,100", True),
        ("ISU bill", "≥ 1,000 req/s"): ("999", False),
        ("WhatsApp data_exchange", "≥ 0.5 of RSA-2048 OAEP-SHA-256"): ("0.50", True),
        ("WhatsApp data_exchange", "≥ 0.8 of bare flow"): ("1.07", True),
        ("Flynn CBC, two decrypts", "≥ 0.5 of RSA-2048 PKCS#1 v1.5"): ("0.50", True),
        ("Kairos create", "≥ 0.7 of RSA-4096 PKCS#1 v1.5"): ("0.70", False),
        ("ISU bill", "≥ 0.5 of bare json"): ("0.50", True),
        ("p99 at half of the peak (550/s)", "≤ 20 ms"): ("20.0 ms", True),
        ("two processes, two cores", "≥ 1.8 of one"): ("1.80", False),
        ("two processes, a second of processor time", "≥ 0.9 of one's"): ("0.90", True),
        ("10,010 clients stored, 10 calling", "≥ 0.95 of the rate"): ("0.95", True),
        ("10,010 clients stored, 10,000 calling", "≥ 0.95 of the rate"): ("0.95", False),
        ("memory of a process", "≤ 250 MB"): ("251 MB", False),
        ("first request of a flow, p95, above warm", "≤ 15 ms"): ("15.0 ms", True),
    }


def test_a_run_passes_only_without_faults() -> None:
    perfect = OnDatabase("SQLite", runs={"whatsapp": run(2000)})
    whole = Report("a machine", Cores(0, 1), ALONE, BARE, [perfect])
    assert whole.all_reached
    perfect.faults["kairos"] = "7 answers were errors"
    assert not whole.all_reached


def test_the_table_the_numbers_and_the_picture_say_the_same() -> None:
    whole = Report("a machine", Cores(0, 1), ALONE, BARE, [measured()])
    console = Console(record=True, width=140, file=io.StringIO())
    report.show(whole, console)
    said = console.export_text()
    assert "Kairos create, 1 call" in said
    assert said.count("✗ fail") == 5
    numbers = json.loads(report.as_json(whole))
    assert numbers["databases"][0]["runs"]["whatsapp"]["core_rate"] == 1500
    drawing = picture.draw(whole)
    texts = "".join(ElementTree.fromstring(drawing).itertext())
    assert "WhatsApp Flows data_exchange" in texts
    assert "10,000 of 10,010 (251 MB)" in texts
    assert drawing.count("http") == 1  # the name of SVG's own language


def test_a_request_travels_as_the_contract_spells_it() -> None:
    sealed = SealedRequest(body=b'{"a":1}', headers={"pass-key": "k", "content-type": "x/y"})
    assert Sent("/p", sealed).as_http("h:1") == (
        b"POST /p HTTP/1.1\r\nHost: h:1\r\npass_key: k\r\ncontent-type: x/y\r\n"
        b'Content-Length: 7\r\n\r\n{"a":1}'
    )


def test_what_is_asked_for_by_its_beginning_is_measured() -> None:
    plan = Plan(seconds=1, only=frozenset({"isu"}))
    assert plan.wants("isu_bill")
    assert not plan.wants("whatsapp")
    assert Plan(seconds=1, only=frozenset()).wants("whatsapp")


def test_a_flame_graph_shows_what_work_is_made_of() -> None:
    stacks = [
        "run (a.py:1);handle_request (g.py:2);serve (flows_endpoint/p.py:3);decrypt (c.py:1) 30",
        "run (a.py:1);handle_request (g.py:9);serve (flows_endpoint/p.py:4);"
        "wait (psycopg/c.py:1) 10",
        "run (a.py:1);get (queue.py:5) 1000",
    ]
    drawn = flame.draw(stacks, "One path", from_frames=("handle_request ",))
    titles = [
        text.text for text in ElementTree.fromstring(drawn).iter() if text.tag.endswith("title")
    ]
    assert titles == [
        "all 100.0%",
        "handle_request (g.py) 100.0%",
        "serve (flows_endpoint/p.py) 100.0%",
        "decrypt (c.py) 75.0%",
        "wait (psycopg/c.py) 25.0%",
    ]
    assert "<script" not in drawn
