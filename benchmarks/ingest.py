"""``make bench-ingest``: records received a second beside what PostgreSQL itself can insert durably, in one run.

The same machine runs the load generator, the server and the database, and the limit is measured in the same cluster in
turns with ours, so that the ratios hold on a noisy machine. Each figure is the median of the rounds.
"""

from __future__ import annotations

import itertools
import random
import statistics
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from benchmarks.instance import Instance
from benchmarks.limit import Limit
from benchmarks.load import Result, run
from server.cluster import Cluster

if TYPE_CHECKING:
    from forms.schema import FormSchema
    from server.demo.records import Record

CONNECTIONS = (1, 8, 32)
PHOTO_BYTES = 100_000
FORMS = 20
_BOUNDARY = b"xiangtu-bench"


@dataclass
class Figures:
    """What the rounds gave for one load."""

    rates: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    server_us: list[float] = field(default_factory=list)
    database_us: list[float] = field(default_factory=list)

    def add(self, result: Result, server_s: float, database_s: float) -> None:
        """Take one round in."""
        count = len(result.latencies)
        self.rates.append(result.rate)
        self.p50.append(result.percentile(0.5))
        self.p99.append(result.percentile(0.99))
        self.server_us.append(server_s / count * 1e6)
        self.database_us.append(database_s / count * 1e6)

    def line(self, name: str, unit: str) -> str:
        """One row of the printed table."""
        rate, p50, p99 = (statistics.median(values) for values in (self.rates, self.p50, self.p99))
        server, database = (statistics.median(values) for values in (self.server_us, self.database_us))
        return (
            f"{name:28s} {rate:8.0f} {unit}   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms"
            f"   CPU server {server:5.0f} us, database {database:5.0f} us"
        )


class Township:
    """A project with twenty forms and a phone, in a running instance."""

    def __init__(self, instance: Instance) -> None:
        from server.app import create_app
        from server.config import load_settings
        from server.demo import households
        from server.demo.instance import write_instance
        from server.operations import app_users, forms, projects
        from server.operations.library import publish_all

        app = create_app(load_settings(instance.environment))
        with app.app_context():
            project = projects.create("基准测试乡")
            published = {form.xml_form_id: form for form in publish_all(project.id)}
            visit = published["household_visit"]
            assert visit.current_version is not None
            xform = visit.current_version.xform
            for number in range(FORMS - len(published)):
                copy = xform.replace(b'id="household_visit"', b'id="household_visit_%d"' % number)
                draft = forms.save_draft(project.id, forms.Definition(copy))
                forms.publish(forms.get(project.id, f"household_visit_{number}"))
                assert draft.published_at is not None
            schema = forms.read_xform(xform)
            records = itertools.islice(households.records(datetime.now(UTC).date()), 60)
            self.records = [(write_instance(schema, _without_files(record)), record.instance_id) for record in records]
            self.path = app_users.server_url(app_users.create(project.id, "基准"), "").encode()
            self.answers = orjson.dumps(_answers(self.typical()[0], schema)).decode()
        app.extensions["xiangtu.fast"].dispose()

    def typical(self) -> tuple[bytes, str]:
        """The record of median size."""
        ordered = sorted(self.records, key=lambda record: len(record[0]))
        return ordered[len(ordered) // 2]

    def submissions(self, photo: bool = False) -> Iterator[bytes]:
        """HTTP requests, each a new record like the typical one, without end."""
        xml, instance_id = self.typical()
        before, after = xml.split(instance_id.encode(), 1)
        noise = random.Random(7)
        body = noise.randbytes(PHOTO_BYTES)
        while True:
            new = before + f"uuid:{uuid.uuid4()}".encode() + after
            parts = [_part("xml_submission_file", "record.xml", "text/xml", new)]
            if photo:
                parts.append(_part("photo.jpg", "photo.jpg", "image/jpeg", noise.randbytes(16) + body[16:]))
            yield self._post(b"".join(parts) + b"--" + _BOUNDARY + b"--\r\n")

    def form_lists(self) -> Iterator[bytes]:
        """HTTP requests for the form list, without end."""
        request = b"GET " + self.path + b"/formList?deviceID=bench HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        return itertools.repeat(request + b"X-OpenRosa-Version: 1.0\r\n\r\n")

    def _post(self, body: bytes) -> bytes:
        return (
            b"POST " + self.path + b"/submission?deviceID=collect%3Abench HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"X-OpenRosa-Version: 1.0\r\nUser-Agent: org.odk.collect.android/bench\r\n"
            b"Content-Type: multipart/form-data; boundary=" + _BOUNDARY + b"\r\n"
            b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
        )  # fmt: skip


def _without_files(record: Record) -> dict[str, Any]:
    """The answers of a record whose photos are not sent: a load of its own measures those."""
    return {path: value for path, value in record.answers.items() if not _names_file(value, record)}


def _names_file(value: Any, record: Record) -> bool:
    return isinstance(value, str) and value in record.files


def _answers(xml: bytes, schema: FormSchema) -> dict[str, Any]:
    from forms.instance import parse, read_envelope

    return parse(read_envelope(xml), schema).answers


def _part(name: str, file_name: str, kind: str, data: bytes) -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"\r\nContent-Type: {kind}\r\n\r\n'
    return b"--" + _BOUNDARY + b"\r\n" + head.encode() + data + b"\r\n"


def _measure(
    instance: Instance, requests: Iterator[bytes], connections: int, seconds: float, wanted: int, most: int
) -> tuple[Result, float, float]:
    ready = list(itertools.islice(requests, most))  # built beforehand: what the generator costs, the server lacks
    before = instance.usage()
    result = run(instance.address, iter(ready), connections, seconds)
    used = instance.usage() - before
    if set(result.statuses) != {wanted}:
        raise RuntimeError(f"answers other than {wanted}: {result.statuses}")
    return result, used.server, used.database


def main(rounds: int = 3, seconds: int = 4) -> None:
    """Measure and print.

    Parameters
    ----------
    rounds : int
        How often each load is measured, in turns; the medians are printed.
    seconds : int
        Of each measurement.
    """
    with Instance() as instance, tempfile.TemporaryDirectory() as folder:
        township = Township(instance)
        xml, _instance_id = township.typical()
        limit = Limit(Cluster(instance.data), Path(folder), xml, township.answers)
        print(f"household visit: {len(xml)} bytes of XML, {len(township.answers)} bytes of answers", flush=True)
        limits, ours = _rounds(instance, township, limit, rounds, seconds)
        _print(limits, ours, instance.memory_mb())


def _rounds(
    instance: Instance, township: Township, limit: Limit, rounds: int, seconds: int
) -> tuple[dict[int, list[float]], dict[str, Figures]]:
    limits: dict[int, list[float]] = {count: [] for count in CONNECTIONS}
    loads: dict[str, tuple[Callable[[], Iterator[bytes]], int, int]] = {
        **{f"submissions {count}": (township.submissions, count, 201) for count in CONNECTIONS},
        "with photo 8": (lambda: township.submissions(photo=True), 8, 201),
        "formList 8": (township.form_lists, 8, 200),
    }
    ours = {name: Figures() for name in loads}
    run(instance.address, township.submissions(), 8, 2)  # plans, caches and connections warm up
    for _round in range(rounds):
        for count in CONNECTIONS:
            limits[count].append(limit.inserts_per_second(count, seconds))
        for name, (requests, count, wanted) in loads.items():
            ours[name].add(*_measure(instance, requests(), count, seconds, wanted, _most(name, seconds)))
    return limits, ours


def _most(name: str, seconds: int) -> int:
    """More requests than can be answered in the time; those with a photo are large to keep."""
    return seconds * (1500 if name.startswith("with photo") else 6000)


def _print(limits: dict[int, list[float]], ours: dict[str, Figures], memory: float) -> None:
    for count, rates in limits.items():
        print(f"{f'pgbench insert {count}':28s} {statistics.median(rates):8.0f} /s   (the limit)")
    for name, figures in ours.items():
        print(figures.line(name, "/s"))
    print(f"server processes together    {memory:8.0f} MB resident")
    for count in CONNECTIONS:
        shares = [ours[f"submissions {count}"].rates[k] / limits[count][k] for k in range(len(limits[count]))]
        print(f"ratio ingest_{count} {statistics.median(shares):.3f}")
        print(f"ratio ingest_p99_ms_{count} {statistics.median(ours[f'submissions {count}'].p99):.1f}")
    print(f"ratio ingest_photo_per_s {statistics.median(ours['with photo 8'].rates):.0f}")
    print(f"ratio formlist_per_s {statistics.median(ours['formList 8'].rates):.0f}")
    print(f"ratio server_memory_mb {memory:.0f}")
