"""What all records of the demonstration have in common: when, who, which files, which identity."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from random import Random
from typing import Any

BEIJING = timezone(timedelta(hours=8))
DAYS = 30
_NAMESPACE = uuid.UUID("7f1d3c0e-5a52-5d7c-9a3a-520599101000")


@dataclass(slots=True)
class Record:
    """A filled form on its way: answers by path, files by name, who sends it and when it was finished and sent."""

    form_id: str
    enumerator: int
    ended: datetime
    sent: datetime
    answers: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def instance_id(self) -> str:
        """The record's identity: the same each time the demonstration is made."""
        found: str = self.answers["/meta/instanceID"]
        return found


@dataclass(frozen=True, slots=True)
class Visit:
    """A moment at which an enumerator fills a form."""

    number: int
    began: datetime
    minutes: int

    @property
    def day(self) -> date:
        """The day of it."""
        return self.began.date()


def visits(rng: Random, last_day: date, total: int, minutes: tuple[int, int]) -> Iterator[Visit]:
    """Spread `total` forms over the `DAYS` days before `last_day`, one after the other, fewer on Sundays."""
    days = [last_day - timedelta(days=back) for back in range(DAYS, 0, -1)]
    weights = [1 if day.weekday() == 6 else 4 for day in days]
    chosen = sorted(rng.choices(range(DAYS), weights, k=total))
    at = datetime.min.replace(tzinfo=BEIJING)
    for number, index in enumerate(chosen, start=1):
        morning = datetime.combine(days[index], time(8, rng.randrange(10, 55)), BEIJING)
        at = max(at + timedelta(minutes=rng.randrange(6, 22)), morning)
        length = rng.randint(*minutes)
        yield Visit(number, at, length)
        at += timedelta(minutes=length)


def begin(form_id: str, enumerator: int, visit: Visit, name: str) -> Record:
    """A record with its metadata; `name` tells it apart from all others of its form."""
    rng = Random(f"{form_id}-{name}")  # noqa: S311 - a demonstration, no secret
    ended = visit.began + timedelta(minutes=visit.minutes, seconds=rng.randrange(60))
    answers: dict[str, Any] = {
        "/start": stamp(visit.began),
        "/end": stamp(ended),
        "/today": visit.day.isoformat(),
        "/deviceid": f"collect:{Random(f'device-{enumerator}').getrandbits(64):016x}",  # noqa: S311
        "/meta/instanceID": f"uuid:{uuid.uuid5(_NAMESPACE, f'{form_id}/{name}')}",
        "/meta/audit": "audit.csv",
    }
    record = Record(form_id, enumerator, ended, _sent(rng, ended), answers)
    record.files["audit.csv"] = _audit(visit.began, ended)
    return record


def stamp(moment: datetime) -> str:
    """A time as phones write it."""
    return moment.isoformat(timespec="milliseconds")


def _sent(rng: Random, ended: datetime) -> datetime:
    """Phones send when there is a network: some at once, most in the evening of the day."""
    if rng.random() < 0.35:
        return ended + timedelta(minutes=rng.randint(1, 25))
    evening = datetime.combine(ended.date(), time(18, 40), BEIJING) + timedelta(minutes=rng.randrange(120))
    return max(evening, ended + timedelta(minutes=2))


def _audit(began: datetime, ended: datetime) -> bytes:
    first, last = int(began.timestamp() * 1000), int(ended.timestamp() * 1000)
    lines = ("event,node,start,end", f"form start,,{first},", f"form finalize,,{last},", f"form exit,,{last},")
    return "\n".join(lines).encode() + b"\n"
