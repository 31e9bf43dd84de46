"""When should a workflow run? The algebra of triggers."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.errors import DeclarationError
from riparian.assets.keys import AssetKey
from riparian.assets.triggers import (
    Missing,
    OnCron,
    OnUpdate,
    Signals,
    Trigger,
    checks_passed,
    eager,
    fresher_than,
    lazy,
    manual,
    missing,
    not_more_often_than,
    on_cron,
    on_update,
    scheduled,
)
from riparian.assets.triggers.combined import MOST_PARTS, And, Or
from riparian.assets.triggers.kinds import trigger_from_json
from riparian.assets.triggers.labelled import Labelled
from riparian.assets.triggers.negated import Not

A, B, OUT = AssetKey("x.a"), AssetKey("x.b"), AssetKey("x.out")
SIX, FIRST = on_cron("0 6 * * *"), on_cron("0 6 1 * *", timezone="Europe/Berlin")

keys = st.lists(st.sampled_from(["x.a", "x.b", "x.c"]), max_size=2, unique=True)
states = st.recursive(
    keys.map(lambda k: missing(*k)) | keys.map(lambda k: checks_passed(*k)),
    lambda s: st.tuples(s, s).map(lambda p: p[0] & p[1]) | s.map(lambda t: ~t),
)
SPANS = {"1m": 60, "2h": 7_200, "90s": 90, "1d": 86_400}
spans = st.sampled_from(sorted(SPANS))
updates = st.builds(lambda k, each: on_update(*k, all=each), keys, st.booleans())
events = updates | st.sampled_from([SIX, FIRST])
times = (
    st.builds(lambda t, s: t.debounce(s), updates, spans)
    | st.builds(lambda t, s: t.debounce(s, at_most="2d"), updates, spans)
    | spans.map(not_more_often_than)
    | st.builds(lambda s, k: fresher_than(s, *k), spans, keys)
)
labelled = st.sampled_from([SIX.label("six"), missing().label('it\'s "new"'), eager(), scheduled("0 6 1 * *")])
triggers = st.recursive(
    events | states | times | labelled,
    lambda t: st.tuples(t, t).map(lambda p: p[0] & p[1]) | st.tuples(t, t).map(lambda p: p[0] | p[1]),
    max_leaves=6,
)
some = st.frozensets(st.sampled_from(["x.a", "x.b", "x.c"]))
moments = st.dictionaries(st.sampled_from(["x.a", "x.b", "x.c"]), st.integers(1, 200_000_000_000))
NAMES = {f.__name__: f for f in (checks_passed, fresher_than, manual, missing, not_more_often_than, on_cron, on_update)}
signals = st.builds(
    Signals,
    updated=some,
    now=st.integers(0, 200_000_000_000),
    first=moments,
    untried=moments,
    last=moments,
    created=st.none() | st.integers(0, 200_000_000_000),
    took=st.integers(0, 9_000_000_000),
    due=st.frozensets(st.sampled_from([SIX.name, FIRST.name])),
    missing=some | some.map(lambda s: s | {OUT}),
    unchecked=some,
    consumes=st.just(frozenset({A, B})),
    makes=st.just(frozenset({OUT})),
)


@given(triggers)
def test_json_round_trip(trigger: Trigger) -> None:
    """What a manifest holds is read back as it was declared."""
    assert trigger == trigger_from_json(trigger.to_json())


@given(triggers)
def test_text_is_what_a_person_types(trigger: Trigger) -> None:
    """The text of a trigger is Python that makes it again."""
    assert trigger == eval(str(trigger), dict(NAMES))  # noqa: S307


@given(triggers, triggers, triggers, signals)
def test_and_and_or_are_those_of_logic(a: Trigger, b: Trigger, c: Trigger, now: Signals) -> None:
    """Both hold as their parts do, whatever the order and the parentheses."""
    assert (a.holds(now) and b.holds(now)) == (a & b).holds(now) == (b & a).holds(now)
    assert (a.holds(now) or b.holds(now)) == (a | b).holds(now) == (b | a).holds(now)
    assert (a & b) & c == a & (b & c)
    assert (a | b) | c == a | (b | c)
    assert (a & (b | c)).holds(now) == (a & b | a & c).holds(now)


@given(states, states, signals)
def test_de_morgan(a: Trigger, b: Trigger, now: Signals) -> None:
    """Not both is one not, and not one is both not; twice not is nothing."""
    assert (~(a & b)).holds(now) == (~a | ~b).holds(now)
    assert (~(a | b)).holds(now) == (~a & ~b).holds(now)
    assert a == ~~a
    assert a.holds(now) != (~a).holds(now)


@given(triggers, signals, some, st.booleans())
def test_news_makes_nothing_untrue(trigger: Trigger, now: Signals, news: frozenset[str], six: bool) -> None:
    """A trigger that holds still holds after another update or tick."""
    later = replace(now, updated=now.updated | news, due=now.due | ({SIX.name} if six else set()))

    assert trigger.holds(later) or not trigger.holds(now) or any(t.kind == "debounced" for t in trigger.nodes())


@given(triggers, signals, st.integers(0, 10**15))
def test_time_makes_nothing_untrue(trigger: Trigger, now: Signals, passed: int) -> None:
    """What holds goes on to hold until something happens, and what will hold by time alone does so when it said."""
    at = trigger.when(now)

    assert not trigger.holds(now) or trigger.holds(replace(now, now=now.now + passed))
    assert trigger.holds(now) == (at is not None and at <= now.now)
    if at is not None:
        assert trigger.holds(replace(now, now=max(now.now, at)))
        assert trigger.holds(now) or trigger.waits(now).held_as


@given(triggers, signals)
def test_what_updates_alone_can_start_needs_no_tick(trigger: Trigger, now: Signals) -> None:
    """A trigger that needs a tick never holds without one."""
    silent = replace(now, due=frozenset())

    assert trigger.by_update or not trigger.holds(silent)


@pytest.mark.parametrize(
    ("trigger", "updated", "expected"),
    [
        (on_update(), ["x.a"], True),
        (on_update(), ["x.z"], False),
        (on_update("x.z"), ["x.z"], True),
        (on_update("x.a", "x.b"), ["x.b"], True),
        (on_update("x.a", "x.b", all=True), ["x.b"], False),
        (on_update("x.a", "x.b", all=True), ["x.a", "x.b"], True),
        (on_update(all=True), ["x.a"], False),
        (on_update(all=True), ["x.a", "x.b"], True),
    ],
    ids=str,
)
def test_updates(trigger, updated, expected) -> None:
    """Any of the named or consumed, or each of them; what is only named elsewhere is not meant by `on_update()`."""
    assert expected == trigger.holds(Signals(updated=frozenset(updated), consumes=frozenset({A, B})))


def test_each_of_nothing_is_never_true() -> None:
    """A workflow that consumes nothing is not always triggered by `all`."""
    assert not on_update(all=True).holds(Signals())


def test_what_it_names() -> None:
    """Assets and schedules are found through all levels, each once; watching is of updates alone."""
    trigger = (on_update("x.a") | SIX) & ~missing("x.b") & (SIX | FIRST)

    assert (A, B) == trigger.assets
    assert (SIX, FIRST) == trigger.schedules
    assert (True, False) == (trigger.watches(A), trigger.watches(B))
    assert (True, False) == (on_update().watches(B), on_update().watches(B, consumed=False))
    assert {B} == trigger.absences([OUT])
    assert {OUT} == missing().absences([OUT])


def test_what_nests_is_flat_and_said_once() -> None:
    """Parentheses that say nothing leave no trace; one of the same is itself."""
    assert And((on_update(), SIX, missing())) == on_update() & (SIX & missing()) & SIX
    assert Or((SIX, FIRST)) == SIX | (FIRST | SIX)
    assert SIX == SIX & SIX
    assert Not(Missing()) == ~missing()
    assert OnUpdate() == on_update() | on_update()


def test_absence_asks_and_its_opposite_does_not() -> None:
    """Only what wants something made asks for what nobody else asks for."""
    now = Signals(missing=frozenset({OUT, A}), makes=frozenset({OUT}))

    assert [True, True, False, False] == [
        t.fills(now) for t in (missing(), SIX & missing(), ~missing("x.b"), on_update())
    ]


REFUSED = [
    (lambda: ~on_update(), "no state"),
    (lambda: ~SIX, "no state"),
    (lambda: ~not_more_often_than("1h"), "no state"),
    (lambda: ~eager(), "no state"),
    (lambda: ~lazy(), "stands alone"),
    (lambda: lazy() | SIX, "can not be combined"),
    (lambda: SIX.debounce("5m"), "waits for no update"),
    (lambda: missing().debounce("5m"), "waits for no update"),
    (lambda: on_update().debounce("5m", at_most="4m"), "less than the quiet time"),
    (lambda: on_update().debounce("5 m"), "debounce is '5 m'; write '90s'"),
    (lambda: not_more_often_than(3600), "not_more_often_than is 3600"),
    (lambda: fresher_than("400d"), "from '1s' to '366d'"),
    (lambda: SIX.label(""), "a label is ''"),
    (lambda: SIX.label("a\nb"), "write a few words"),
    (lambda: SIX.label("x" * 101), "longer than 100"),
    (lambda: on_update() & eager, r"write eager\(…\)"),
    (lambda: trigger_from_json({"kind": "limited", "seconds": True}), "seconds is True"),
    (lambda: trigger_from_json({"kind": "limited", "seconds": 0}), "is 0 seconds"),
    (lambda: trigger_from_json({"kind": "limited", "seconds": 2**70}), "write a span"),
    (lambda: trigger_from_json({"kind": "limited", "seconds": 9, "at": 1}), "does not know"),
    (lambda: trigger_from_json({"kind": "behind", "seconds": 9.5, "assets": []}), "seconds is 9.5"),
    (lambda: trigger_from_json({"kind": "and", "triggers": ["x"]}), "no object"),
    (lambda: trigger_from_json({"kind": ["and"]}), "unknown trigger"),
    (lambda: ~(SIX & missing()), "no state"),
    (lambda: Not(on_update()), "no state"),
    (lambda: ~manual(), "stands alone"),
    (lambda: manual() & on_update(), "can not be combined"),
    (lambda: on_update() | manual(), "can not be combined"),
    (lambda: on_update() and SIX, "combine triggers with & and |"),
    (lambda: not on_update(), "combine triggers with & and |"),
    (lambda: on_update() & "x.a", "that is no trigger"),
    (lambda: "x.a" & on_update(), "that is no trigger"),
    (lambda: on_update & SIX, r"write on_update\(…\)"),
    (lambda: on_cron("0 6 * *"), "has 4 fields"),
    (lambda: on_cron("0 0 6 * * *"), "has 6 fields"),
    (lambda: on_cron("0 25 * * *"), "bad hour"),
    (lambda: on_cron("0 0 30 2 *"), "no such month has"),
    (lambda: on_cron("0 0 */31 2 MON#5"), "never ticks"),
    (lambda: on_cron("0 6 * * *", "Europe/Berlni"), "did you mean 'Europe/Berlin'"),
    (lambda: on_cron("0 6 * * *", "../../etc/passwd"), "no such timezone"),
    (lambda: on_cron("0 6 * * *", timezone=None), "timezone is None"),
    (lambda: trigger_from_json({"kind": "moon"}), "unknown trigger 'moon'"),
    (lambda: trigger_from_json({"kind": "and", "triggers": []}), "combines nothing"),
    (lambda: trigger_from_json({"kind": "and", "triggers": [{"kind": "manual"}]}), "can not be combined"),
]


@pytest.mark.parametrize(("write", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_what_can_not_be_meant_is_refused_where_it_is_written(write, says) -> None:
    """Each mistake is told with what to write."""
    with pytest.raises(DeclarationError, match=says):
        write()


def test_a_trigger_too_deep_is_refused() -> None:
    """A manifest made by hand breaks nothing."""
    body = on_update().to_json()
    for _ in range(300):
        body = {"kind": "and", "triggers": [body]}

    with pytest.raises(DeclarationError, match="nested deeper"):
        trigger_from_json(body)


@pytest.mark.parametrize("kind", ["not", "labelled", "debounced"])
def test_a_trigger_of_one_part_too_deep_is_refused(kind) -> None:
    """Each kind that has a trigger in it counts as a level."""
    more = {"not": {}, "labelled": {"label": "x"}, "debounced": {"quiet_seconds": 1, "at_most_seconds": 1}}[kind]
    body = (missing() if kind == "not" else on_update()).to_json()
    for _ in range(30):
        body = {"kind": kind, "trigger": body, **more}

    with pytest.raises(DeclarationError, match="nested deeper"):
        trigger_from_json(body)


HOUR = 3_600_000_000
QUIET = on_update().debounce("1h")
"""At most ten hours."""

BY_TIME = [
    ("nothing came", QUIET, {}, None),
    ("one came", QUIET, {"x.a": (0, 0)}, 1),
    ("another came before it was quiet", QUIET, {"x.a": (0, 0.5)}, 1.5),
    ("of another asset", QUIET, {"x.a": (0, 0), "x.b": (0.7, 0.7)}, 1.7),
    ("of one that is not waited for", QUIET, {"x.a": (0, 0), "x.c": (0.7, 0.7)}, 1),
    ("without an end", QUIET, {"x.a": (0, 9.9)}, 10),
    ("without an end, another bound", on_update().debounce("1h", at_most="2h"), {"x.a": (0, 1.9)}, 2),
    ("each of both", on_update(all=True).debounce("1h"), {"x.a": (0, 0)}, None),
    ("the first waits", fresher_than("2h"), {"x.a": (0, 5), "x.b": (1, 1)}, 2),
    ("the first of a named one", fresher_than("2h", "x.b"), {"x.a": (0, 5), "x.b": (1, 1)}, 3),
    ("either", QUIET | fresher_than("2h"), {"x.a": (0, 5)}, 2),
    ("both", QUIET & fresher_than("2h"), {"x.a": (0, 5)}, 6),
]


@pytest.mark.parametrize(("name", "trigger", "news", "hours"), BY_TIME, ids=[name for name, *_ in BY_TIME])
def test_when_time_alone_makes_it_true(name, trigger, news, hours) -> None:
    """From the first and the last update that no run has answered, in hours."""
    now = Signals(
        updated=frozenset(news),
        consumes=frozenset({A, B}),
        first={a: HOUR + int(first * HOUR) for a, (first, _) in news.items()},
        untried={a: HOUR + int(first * HOUR) for a, (first, _) in news.items()},
        last={a: HOUR + int(last * HOUR) for a, (_, last) in news.items()},
    )
    expected = None if hours is None else HOUR + int(hours * HOUR)

    assert expected == trigger.when(replace(now, now=HOUR))
    assert [False, hours is not None] == [trigger.holds(replace(now, now=t)) for t in (HOUR, 99 * HOUR)]


def test_a_limit_counts_from_the_last_run() -> None:
    """None yet: at once. It names no assets and no updates: what it is combined with says what for."""
    limit = not_more_often_than("2h")

    assert [0, 3 * HOUR] == [limit.when(Signals(created=c)) for c in (None, HOUR)]
    assert (False, ()) == (limit.watches(A), limit.assets)
    assert QUIET & limit == QUIET.not_more_often_than("2h")


def test_freshness_begins_early_by_what_a_run_takes() -> None:
    """By half of what is allowed at the most, so that a slow run does not run for each update."""
    news = Signals(updated=frozenset({A}), consumes=frozenset({A}), first={A: HOUR})

    assert [3 * HOUR, 2.5 * HOUR, 2 * HOUR] == [
        fresher_than("2h").when(replace(news, took=int(t * HOUR))) for t in (0, 0.5, 9)
    ]


def test_what_failed_is_no_reason_for_haste() -> None:
    """The longest wait counts from the first update since the run that failed."""
    now = Signals(
        now=50 * HOUR,
        updated=frozenset({A}),
        consumes=frozenset({A}),
        first={A: HOUR},
        untried={A: 49 * HOUR},
        last={A: 50 * HOUR},
    )

    assert 51 * HOUR == QUIET.when(now)


def test_labels_are_names_only() -> None:
    """A labelled trigger is what it names; a second label takes the place of the first."""
    trigger = (on_update("x.a") & SIX).label("month end")

    assert ((A,), (SIX,), True) == (trigger.assets, trigger.schedules, trigger.watches(A))
    assert on_update().label("b") == on_update().label("a").label("b")
    assert '(on_update("x.a") & on_cron("0 6 * * *")).label(\'month end\')' == str(trigger)


def test_the_usual_ones() -> None:
    """Each is a trigger that has its name as a label."""
    assert [Labelled(OnUpdate(), "eager"), Labelled(SIX, "scheduled"), Labelled(manual(), "lazy")] == [
        eager(),
        scheduled("0 6 * * *"),
        lazy(),
    ]


def test_a_kind_of_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package brings a kind as one class and one entry point; it combines as the others do."""
    from importlib import metadata

    from riparian.assets.triggers import kinds

    @dataclass(frozen=True, slots=True)
    class FullMoon(Trigger):
        kind = "acme.full_moon"

        def when(self, signals: Signals) -> int | None:
            return 0

        def words(self, signals: Signals) -> str:
            return "the moon is full"

        def to_json(self) -> dict:
            return {"kind": self.kind}

        @classmethod
        def from_json(cls, body, read) -> Trigger:
            return FullMoon()

    class Point:
        name = "acme.full_moon"

        def load(self) -> type[Trigger]:
            return FullMoon

    kinds._installed.cache_clear()
    monkeypatch.setattr(metadata, "entry_points", lambda group: [Point()] if group == "riparian.triggers" else [])
    trigger = (on_update() & FullMoon()).label("tides")
    read = trigger_from_json(trigger.to_json())
    kinds._installed.cache_clear()

    assert trigger == read


def test_an_expression_is_the_same_however_it_is_spaced() -> None:
    """Spaces do not make another schedule."""
    assert SIX == OnCron("0  6 * * * ")
    assert ("0 6 * * * (UTC)", "0 6 1 * * (Europe/Berlin)") == (SIX.name, FIRST.name)


@pytest.mark.parametrize("said", [("0," * 80 + "0 6 * * *", "UTC"), ("0 6 * * *", "a" * 1_000_000)])
def test_a_schedule_of_any_length_is_refused_in_short(said) -> None:
    """Before it is read, and without repeating all of it."""
    with pytest.raises(DeclarationError, match="longer than 100 characters") as refused:
        on_cron(*said)

    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("kind", ["and", "or"])
def test_a_trigger_of_very_many_parts_is_refused(kind: str) -> None:
    """At any depth: all of them are looked at whenever the workflow is. One on_update may name many assets."""
    updates = [on_update(f"n.a{n}").to_json() for n in range(MOST_PARTS + 1)]
    inner = {"kind": "or" if kind == "and" else "and", "triggers": updates[1:]}

    with pytest.raises(DeclarationError, match="combines more than 500 parts"):
        trigger_from_json({"kind": kind, "triggers": [updates[0], inner]})
    assert MOST_PARTS == len(list(trigger_from_json({"kind": kind, "triggers": updates[1:]}).parts))
    assert 600 == len(on_update(*(f"n.a{n}" for n in range(600))).assets)


def test_checks_passed_asks_for_all_of_the_named_or_of_the_consumed() -> None:
    """One asset whose checks have not all passed is enough to wait; it is a state, and so may be negated."""
    some = Signals(unchecked=frozenset({A}), consumes=frozenset({A, B}))

    assert [False, False, True, True] == [
        trigger.holds(some) for trigger in (checks_passed(), checks_passed(A, B), checks_passed(B), ~checks_passed())
    ]
    assert {A, B} == checks_passed().checked([A, B])
    assert {OUT} == (on_update() & ~checks_passed(OUT)).checked([A, B])
    assert (OUT,) == checks_passed(OUT).assets
