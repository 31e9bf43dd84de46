"""How is the clock told, which nobody can hurry? By what waits for it, and by a tick that really came."""

from __future__ import annotations

import time
from datetime import datetime
from zoneinfo import ZoneInfo

from show.asking import POLL_SECONDS, until_done
from show.deliveries import by_carrier
from show.server import Failed
from show.story import Story, expect

MINUTE = 60
TICK_SECONDS = 45.0
"""How long after a tick its run must be there, on a slow machine too."""


def tell(story: Story, patience: float) -> None:
    """The month's letter, which waits for the first of the month; and the bulletin, which waits for a minute to be
    over: if none was yet, up to ``patience`` seconds are spent on its end."""
    _month(story)
    _bulletin(story, patience)


def _month(story: Story) -> None:
    me, bob = story.people.me, story.people.bob
    why = bob.get("assets/air.month/why")
    expected = f"{_first_of_next_month():%Y-%m-%d %H:%M}"
    expect(why["code"] == "waiting_for_tick", f"air.month does not wait for its tick: {why['words']}", story.server)
    expect(expected in why["words"], f"air.month should wait for {expected}: {why['words']}", story.server)
    story.screen.exchange("bob", "GET /api/v1/assets/air.month/why", 200, f"{why['code']}: {why['words']}")
    before = story.people.ana.last_run()
    asked = me.post("assets/air.month/materialize", {})
    expect(bool(asked["run"]), f"asked for by hand, air.month does not run: {asked['words']}", story.server)
    for _ in until_done(story.people.ana, before, {("air.month", "")}, story.server.log):
        pass
    letter = bob.value("air.month")
    counted = [sum(column) for column in zip(*by_carrier(story.airline.flights, story.days).values(), strict=True)]
    expect([letter["flights"], letter["cancelled"]] == counted, f"air.month says {letter}, not {counted}", story.server)
    story.screen.exchange("me", "POST /api/v1/assets/air.month/materialize", 202, f"run {asked['run'][-6:]}, by hand")
    said = ", ".join(f"{name} {value}" for name, value in letter.items())
    story.screen.exchange("bob", "GET /api/v1/assets/air.month/data", 200, said)
    story.screen.say("A schedule holds back what data would start. It does not hold back a person.")


def _first_of_next_month() -> datetime:
    """Returns when the first of a month is next six in the morning in New York, by their clocks."""
    now = datetime.now(ZoneInfo("America/New_York"))
    this = now.replace(day=1, hour=6, minute=0, second=0, microsecond=0)
    return this if now < this else this.replace(year=now.year + now.month // 12, month=now.month % 12 + 1)


def _bulletin(story: Story, patience: float) -> None:
    why = story.people.bob.get("assets/air.bulletin/why")
    ticks = int(time.time() // MINUTE - story.since // MINUTE)
    if not ticks and (wait := MINUTE - time.time() % MINUTE) <= patience:
        story.screen.say(f"air.bulletin waits for the minute to be over: {wait:.0f} s more.")
        time.sleep(wait)
        ticks = 1
    versions = len(story.people.bob.get("assets/air.summary/versions", limit=500)["items"])
    said = f"air.summary had {versions} versions by now. air.bulletin waits for it and for a schedule of every minute"
    if not ticks:
        expect(why["code"] == "waiting_for_tick", f"air.bulletin should wait: {why['words']}", story.server)
        story.screen.say(f"{said}; this story was quicker, so it {why['words']} (`--tick` stays for it).")
        return
    runs = _bulletins(story)
    expect(len(runs) <= ticks + 1, f"{len(runs)} bulletins after {ticks} ticks", story.server)
    count = "once" if len(runs) == 1 else f"{len(runs)} times"
    line = story.people.bob.table("air.bulletin")[0]["value"]
    story.screen.say(f"{said}: it ran ", (count, "bold"), f", because {runs[0]['cause']}. It says: {line}.")


def _bulletins(story: Story) -> list[dict[str, str]]:
    """Returns the bulletin's runs, once its first is done."""
    deadline = time.monotonic() + TICK_SECONDS
    while time.monotonic() < deadline:
        runs = story.people.bob.get("runs", workflow="air.bulletin")["items"]
        if any(run["state"] == "succeeded" for run in runs):
            return runs
        time.sleep(POLL_SECONDS)
    why = story.people.bob.get("assets/air.bulletin/why")["words"]
    raise Failed(f"no bulletin {TICK_SECONDS:.0f} s after a tick: {why}; see {story.server.log}")
