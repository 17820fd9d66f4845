#!/usr/bin/env python3
"""Writes tables.jsonl: what an independent implementation says of schedules, cron expressions and calendars.

Recurrence: python-dateutil, recurring-ical-events, croniter. Time zones: zoneinfo with the tzdata package. How a
local time is read that occurs twice or not at all is ours (docs/concepts/windows.md), written here a second time.

    pip install python-dateutil recurring-ical-events croniter tzdata
    python3 generate.py > tables.jsonl
"""
import datetime as dt
import json
import os
import random

os.environ["PYTHONTZPATH"] = ""
import icalendar
import recurring_ical_events
from croniter import croniter
from dateutil.rrule import rrulestr
from zoneinfo import ZoneInfo

RND = random.Random(20261125)
UTC = dt.timezone.utc
MINUTE = dt.timedelta(minutes=1)
# Zones whose rules have not changed for long: tables must not age. The Azores change at midnight, Lord Howe by half an
# hour, Troll by two hours.
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Atlantic/Azores", "Asia/Kathmandu",
         "Europe/Dublin", "Pacific/Auckland", "Europe/London", "Europe/Lisbon", "UTC", "America/St_Johns",
         "Antarctica/Troll"]


def readings(local, zone):
    """Both instants that a local time may mean: the same twice where there is no doubt."""
    return sorted(local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))


def minutes(at):
    return int(at.timestamp()) // 60


def overlapping(intervals, first, last):
    return sorted([minutes(s), minutes(e)] for s, e in intervals if s < e and s < last and e > first)


def close(start_local, begin, rule, zone):
    """The end of a window by a schedule."""
    kind, value = rule
    if kind == "duration":
        return begin + dt.timedelta(minutes=value)
    hour, minute = value
    end = start_local.replace(hour=hour, minute=minute)
    if end <= start_local:
        end += dt.timedelta(days=1)
    return readings(end, zone)[0]


def text_of(rule):
    kind, value = rule
    if kind == "duration":
        return {"duration": f"{value}m"}
    return {"end": "%02d:%02d" % value}


def windows(locals_, rule, zone, first, last):
    found = []
    for local in locals_:
        begin = readings(local, zone)[-1]
        found.append((begin, close(local, begin, rule, zone)))
    return overlapping(found, first, last)


RULES = [
    ("FREQ=WEEKLY;BYDAY=SA", False), ("FREQ=WEEKLY;BYDAY=SU", False), ("FREQ=DAILY", False),
    ("FREQ=WEEKLY;BYDAY=MO,WE,FR", False), ("FREQ=MONTHLY;BYDAY=2TU", False), ("FREQ=MONTHLY;BYDAY=-1SU", False),
    ("FREQ=MONTHLY;BYMONTHDAY=-1", False), ("FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=-1", False),
    ("FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU", False), ("FREQ=MONTHLY;BYMONTHDAY=1,15,31", False),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SA", True), ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU", True),
    ("FREQ=WEEKLY;INTERVAL=3;BYDAY=SU,MO", True), ("FREQ=DAILY;INTERVAL=5", True), ("FREQ=WEEKLY", True),
    ("FREQ=MONTHLY;INTERVAL=3;BYDAY=1SA", True), ("FREQ=DAILY;COUNT=30", True), ("FREQ=WEEKLY;BYDAY=SU;UNTIL=20261101", True),
    ("FREQ=YEARLY;BYYEARDAY=1,100,-1", False), ("FREQ=DAILY;BYDAY=SA,SU", False), ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", False),
]
STARTS = [(2, 30), (0, 0), (1, 30), (22, 0), (23, 30), (3, 0), (2, 0), (12, 0)]
CLOSES = [("duration", 240), ("duration", 30), ("end", (5, 0)), ("end", (2, 0)), ("end", (3, 15)), ("duration", 1500)]


def schedules():
    for number in range(75):
        rule, needs_from = RULES[number % len(RULES)]
        zone = ZONES[number % len(ZONES)]
        hour, minute = RND.choice(STARTS)
        closing = RND.choice(CLOSES)
        if closing == ("end", (hour, minute)):
            closing = ("duration", 240)
        since = dt.date(2025, 1, 1) + dt.timedelta(days=RND.randrange(60))
        first = dt.datetime(2026, 1, 1, tzinfo=UTC) + dt.timedelta(days=RND.randrange(90))
        last = first + dt.timedelta(days=120 if rule == "FREQ=DAILY" else 400)
        start = dt.datetime.combine(since, dt.time(hour, minute))
        schedule = {"rrule": rule, "start": "%02d:%02d" % (hour, minute), "timezone": zone, **text_of(closing)}
        if needs_from:
            schedule["from"] = since.isoformat()
        until = dt.datetime(2027, 12, 31)
        # UNTIL as a day lets that whole day in.
        found = [t for t in rrulestr(rule.replace("UNTIL=20261101", "UNTIL=20261101T235959"), dtstart=start) if t < until] \
            if "COUNT" in rule or "UNTIL" in rule else list(rrulestr(rule, dtstart=start).between(start, until, inc=True))
        if number % 4 == 0 and len(found) > 6:
            out = RND.sample(found[len(found) // 2:], 2)
            schedule["exdate"] = [out[0].date().isoformat(), out[1].strftime("%Y-%m-%dT%H:%M")]
            found = [t for t in found if t.date() != out[0].date() and t != out[1]]
        if number % 5 == 0:
            more = [dt.datetime(2026, 3, 29, 2, 30), dt.datetime(2026, 11, 1, 1, 30), dt.datetime(2026, 7, 1, hour, minute)]
            schedule["rdate"] = [more[0].strftime("%Y-%m-%dT%H:%M"), more[1].strftime("%Y-%m-%dT%H:%M"), "2026-07-01"]
            found = sorted(set(found) | set(more))
        yield {"kind": "schedule", "schedule": schedule, "from": minutes(first), "to": minutes(last),
               "narrow": windows(found, closing, zone, first, last)}


CRONS = ["0 22 * * SAT", "30 2 * * SUN", "0 1 1 * *", "15 3 1,15 * *", "0 0 L * *", "30 1 * * SUN#1", "0 2 * 3,10 SUN",
         "45 23 * * 1-5", "0 */8 * * *", "0 4 13 * FRI", "@weekly", "@monthly", "0 2 * * 7", "0 3 * JAN-MAR MON", "30 2 29 2 *"]


def crons():
    for number, cron in enumerate(CRONS * 2):
        zone = ZONES[(number * 5) % len(ZONES)]
        closing = CLOSES[number % len(CLOSES)]
        if closing[0] == "end" and cron.startswith("0 2"):
            closing = ("duration", 240)
        first = dt.datetime(2026, 2, 1, tzinfo=UTC)
        last = dt.datetime(2026, 5, 1, tzinfo=UTC) if "/" in cron else dt.datetime(2027, 4, 15, tzinfo=UTC)
        if number % 3 == 2:
            first, last = first + dt.timedelta(days=190), last + dt.timedelta(days=190)
        local = croniter(cron, dt.datetime(2026, 1, 1) - MINUTE)
        found = []
        while True:
            at = local.get_next(dt.datetime)
            if at > last.replace(tzinfo=None) + dt.timedelta(days=3):
                break
            found.append(at)
        yield {"kind": "schedule", "schedule": {"cron": cron, "timezone": zone, **text_of(closing)}, "from": minutes(first),
               "to": minutes(last), "narrow": windows(found, closing, zone, first, last)}


ICS_RULES = ["", "FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=SA,SU", "FREQ=DAILY;COUNT=40", "FREQ=MONTHLY;BYDAY=-1SU", "FREQ=DAILY;INTERVAL=3",
             "FREQ=DAILY;BYHOUR=1,2,3,14;COUNT=60", "FREQ=HOURLY;INTERVAL=7;COUNT=50", "FREQ=MONTHLY;BYDAY=2TU",
             "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU;WKST=SU", "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU", "FREQ=WEEKLY;UNTIL=20261101T120000Z"]


def stamp(name, local, kind, zone):
    text = local.strftime("%Y%m%dT%H%M%S")
    if kind == "utc":
        return f"{name}:{text}Z"
    if kind == "day":
        return f"{name};VALUE=DATE:{text[:8]}"
    if kind == "floating":
        return f"{name}:{text}"
    return f"{name};TZID={zone}:{text}"


def calendars():
    for number in range(72):
        zone = ZONES[number % len(ZONES)]
        kind = ["zone", "zone", "utc", "day", "floating", "zone"][number % 6]
        clock = {"utc": "UTC"}.get(kind, zone)
        rule = ICS_RULES[number % len(ICS_RULES)]
        if kind == "day" and ("HOUR" in rule or "UNTIL" in rule):
            rule = "FREQ=WEEKLY;BYDAY=SU,MO"
        hour, minute = (0, 0) if kind == "day" else RND.choice(STARTS)
        start = dt.datetime(2026, 3, 1 + RND.randrange(28), hour, minute)
        if number % 7 == 3:
            start = dt.datetime(2019, 1, 6, hour, minute)
        by = rule.split("BYDAY=")[1].split(";")[0] if "BYDAY" in rule else ""
        # An event that starts on a day of its own rule, as calendars write them.
        if rule:
            plain = rule.split(";COUNT")[0].split(";UNTIL")[0]
            if "BYHOUR" not in plain and "HOURLY" not in plain:
                start = rrulestr(plain, dtstart=start).after(start, inc=True)
            elif "BYHOUR" in plain:
                start = start.replace(hour=1)
        length = RND.choice([dt.timedelta(hours=4), dt.timedelta(minutes=30), dt.timedelta(hours=9), dt.timedelta(days=1)])
        if kind == "day":
            length = dt.timedelta(days=RND.choice([1, 2]))
        lines = ["UID:t%d" % number, stamp("DTSTART", start, kind, zone)]
        duration = number % 3 == 1
        if duration:
            hours = int(length.total_seconds() // 3600)
            lines.append("DURATION:" + ("P%dD" % length.days if length.days else ("PT%dH" % hours if hours else "PT30M")))
        elif kind != "day" or length.days > 1 or number % 2:
            lines.append(stamp("DTEND", start + length, kind, zone))
        else:
            length = dt.timedelta(days=1)
        if rule:
            lines.append("RRULE:" + rule)
        extra = None
        if number % 4 == 2:
            extra = start + dt.timedelta(days=45)
            lines.append(stamp("RDATE", extra, kind, zone))
        body = "BEGIN:VEVENT\r\n" + "\r\n".join(lines) + "\r\nEND:VEVENT\r\n"
        head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\n"
        first = dt.datetime(2026, 3, 1, tzinfo=UTC)
        last = first + dt.timedelta(days=250)

        def starts(text):
            found = recurring_ical_events.of(icalendar.Calendar.from_ical(text)).between(
                dt.datetime(2026, 2, 20), dt.datetime(2026, 11, 20))
            out = []
            for event in found:
                at = event["DTSTART"].dt
                if not isinstance(at, dt.datetime):
                    at = dt.datetime(at.year, at.month, at.day)
                out.append(at.replace(tzinfo=None, fold=0))
            return sorted(out)

        plain = starts(head + body + "END:VCALENDAR\r\n")
        moved = None
        if rule and len(plain) > 8:
            if number % 3 == 0:
                out = [plain[2], plain[5]]
                lines.append(stamp("EXDATE", out[0], kind, zone))
                lines.append(stamp("EXDATE", out[1], kind, zone))
            # Among several times a day the library takes 01:30 there for 01:30 in UTC.
            if number % 5 == 1 and "BYHOUR" not in rule:
                moved = (plain[4], plain[4] + dt.timedelta(days=1, hours=0 if kind == "day" else 2))
            body = "BEGIN:VEVENT\r\n" + "\r\n".join(lines) + "\r\nEND:VEVENT\r\n"
            if moved:
                body += "BEGIN:VEVENT\r\n" + "\r\n".join([
                    "UID:t%d" % number, stamp("RECURRENCE-ID", moved[0], kind, zone), stamp("DTSTART", moved[1], kind, zone),
                    stamp("DTEND", moved[1] + dt.timedelta(days=1), kind, zone)]) + "\r\nEND:VEVENT\r\n"
        text = head + body + "END:VCALENDAR\r\n"
        reading = {"narrow": [], "wide": []}
        # As time elapses: the first occurrence says how much that is, by the first of two readings, behind a gap.
        both = [local.replace(tzinfo=ZoneInfo(clock)).astimezone(UTC) for local in (start, start + length)]
        for local in starts(text):
            size, exact, by_duration = length, both[1] - both[0], duration
            if moved and local == moved[1]:
                size, by_duration = dt.timedelta(days=1), False
                exact = (local + size).replace(tzinfo=ZoneInfo(clock)).astimezone(UTC) - local.replace(tzinfo=ZoneInfo(clock)).astimezone(UTC)
            for name, late, pick in [("narrow", max, min), ("wide", min, max)]:
                begin = late(readings(local, clock))
                wall = pick(readings(local + size, clock))
                if kind == "day" or (by_duration and size.days):
                    end = wall
                elif by_duration:
                    end = begin + size
                else:
                    end = pick(wall, begin + exact)
                reading[name].append((begin, end))
        yield {"kind": "calendar", "ics": text, "timezone": zone, "from": minutes(first), "to": minutes(last),
               "narrow": overlapping(reading["narrow"], first, last), "wide": overlapping(reading["wide"], first, last)}


for table in [*schedules(), *crons(), *calendars()]:
    print(json.dumps(table, separators=(",", ":")))
