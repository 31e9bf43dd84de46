"""What does the catalogue hold? The tables; they hold no rules.

Times are integers, UTC microseconds. Ids are ULID text. A partition is its key, empty for an asset in one piece.
JSON columns hold canonical text that only the module which writes them reads. Nothing here is of one database alone.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}
)

Micros = BigInteger

Name = String().with_variant(String(collation="C"), "postgresql")
"""Ids, keys and partitions are compared and ranged over by their code points, whatever the database's language."""

counter = Table(
    "counter",
    metadata,
    # change_seq (rises with every moved head), policy_epoch (with every policy, owner or principal change),
    # definitions (with every apply)
    Column("name", Name, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

bundle = Table(
    "bundle",
    metadata,
    Column("digest", Name, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("created_at", Micros, nullable=False),
)

definition = Table(
    "definition",
    metadata,
    # every applied manifest; the newest of a project is its current one
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("project", Name, nullable=False),
    Column("bundle", Name, nullable=False),
    Column("applied_by", Name, nullable=False),
    Column("applied_at", Micros, nullable=False),
    Column("body", Text, nullable=False),  # last: megabytes, which a look at the columns before it need not pass
    Index(None, "project", "seq"),
)

asset = Table(
    "asset",
    metadata,
    # one row for every asset that ever was declared: what it restricts outlives its declaration
    Column("key", Name, primary_key=True),
    Column("project", Name, nullable=False),
    Column("kind", Name, nullable=False),  # source | asset
    Column("owner", Name, nullable=False),
    Column("declared", Text),  # policy JSON in force from code
    Column("pending", Text),  # a looser declared policy that waits for the owner
    Column("overlay", Text),  # policy JSON set by CLI or REST
    Column("removed_at", Micros),
    # the state of all current heads together, kept at every move (see core/digests.py)
    Column("seq", BigInteger, nullable=False, server_default="0"),
    Column("heads", BigInteger, nullable=False, server_default="0"),
    Column("digest", Name, nullable=False),
    # the seq of the last move of a head that others were to run for, and of the last by a run of today's class
    Column("news", BigInteger, nullable=False, server_default="0"),
    Column("current", BigInteger, nullable=False, server_default="0"),
)

origins = Table(
    "origins",
    metadata,
    # interned sets of assets; id = sha256 of the sorted members
    Column("id", Name, primary_key=True),
    Column("members", Text, nullable=False),
)

asset_origins = Table(
    "asset_origins",
    metadata,
    # how many heads of the asset carry which origin set
    Column("asset", Name, primary_key=True),
    Column("origins", Name, primary_key=True),
    Column("heads", BigInteger, nullable=False),
)

workflow = Table(
    "workflow",
    metadata,
    Column("key", Name, primary_key=True),
    Column("project", Name, nullable=False),
    Column("adopted_seq", BigInteger, nullable=False),  # tells its causes from those of an earlier one of its name
    # What moved up to here is history, but for first_partition.
    Column("news_seq", BigInteger, nullable=False, server_default="0"),
    Column("first_partition", Name, nullable=False),
    Column("removed_at", Micros),
)

version = Table(
    "version",
    metadata,
    Column("id", Name, primary_key=True),
    Column("asset", Name, nullable=False),
    Column("partition", Name, nullable=False),
    Column("run", Name, nullable=False),
    Column("step", Name, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("slice", Integer, nullable=False, server_default="0"),
    Column("bundle", Name),
    Column("format", Name, nullable=False),
    Column("digest", Name, nullable=False),
    Column("origins", Name, nullable=False),
    Column("rows", BigInteger),
    Column("bytes", BigInteger, nullable=False),
    Column("objects", Text, nullable=False),  # JSON list of protocol.StoredObject
    Column("content", Text),  # JSON text of a small value
    Column("schema", Text),
    Column("committed_at", Micros, nullable=False),
    Column("head_seq", BigInteger),  # the change_seq at which it became the head; NULL: it never did
    Column("state", Name, nullable=False),  # staged | committed | superseded | intermediate
    Column("file", Name),  # of an ingested version: the file's path
    UniqueConstraint("step", "asset", "slice"),
    Index(None, "asset", "partition", "head_seq"),
    Index(None, "asset", "committed_at"),
    Index(None, "asset", "head_seq"),
    Index(None, "run"),
)

head = Table(
    "head",
    metadata,
    Column("asset", Name, primary_key=True),
    Column("partition", Name, primary_key=True),
    Column("version", Name, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("digest", Name, nullable=False),
    Column("origins", Name, nullable=False),
    Column("trace", Text, nullable=False),  # JSON {input: seq} of the version's trace
    # the seq of its last move that others were to run for, and of the last by a run of today's class
    Column("news", BigInteger, nullable=False, server_default="0"),
    Column("current", BigInteger, nullable=False, server_default="0"),
    Index(None, "version"),
)

lineage = Table(
    "lineage",
    metadata,
    # one row for each input of a version, however many partitions it had: heads with lo <= partition <= hi as of a seq
    Column("version", Name, primary_key=True),
    Column("parameter", Name, primary_key=True),
    Column("asset", Name, nullable=False),
    Column("lo", Name, nullable=False),
    Column("hi", Name, nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("input_version", Name),  # set where the input is exactly one version
    Index(None, "input_version"),
    Index(None, "asset", "as_of"),
)

consumed = Table(
    "consumed",
    metadata,
    # what the last succeeded run of a workflow partition was made from
    Column("workflow", Name, primary_key=True),
    Column("partition", Name, primary_key=True),
    Column("run", Name, nullable=False),
    Column("fingerprint", Name, nullable=False),
    Column("params", Text, nullable=False),
    Column("as_of", BigInteger, nullable=False),  # the change_seq at which the run's inputs were pinned
    Column("inputs", Text, nullable=False),  # JSON {input: [seq, digest, origins]}, see core.graph.Edge.name
    Column("ticks", Text, nullable=False, server_default="{}"),  # JSON {schedule: the tick it answered, in µs}
)

attempted = Table(
    "attempted",
    metadata,
    # the last run of a workflow partition, where it made nothing; gone once a run succeeds
    Column("workflow", Name, primary_key=True),
    Column("partition", Name, primary_key=True),
    Column("run", Name, nullable=False),
    Column("as_of", BigInteger, nullable=False),  # the change_seq at which that run's inputs were pinned
    Column("ticks", Text, nullable=False, server_default="{}"),  # JSON {schedule: the tick it was for, in µs}
    Column(
        "outcome", Name, nullable=False, server_default="failed"
    ),  # failed | timed_out (they hold up what is below) | cancelled
)

dirty = Table(
    "dirty",
    metadata,
    # workflow partitions that something touched; deciding on them deletes the row
    Column("id", Name, primary_key=True),
    Column("workflow", Name, nullable=False),
    Column("lo", Name, nullable=False),
    Column("hi", Name, nullable=False),  # of a box with what of it is meant, see assets/partitions/boxes.py
    Column("ask", Text, nullable=False, server_default=""),  # JSON of the cause when somebody asked
    UniqueConstraint("workflow", "lo", "hi", "ask"),
)

hold = Table(
    "hold",
    metadata,
    # a workflow partition that waits until another one's run has ended
    Column("workflow", Name, primary_key=True),
    Column("partition", Name, primary_key=True),
    Column("blocker", Name, nullable=False),
    Column("blocker_partition", Name, nullable=False),
    Column("ask", Text, primary_key=True),  # JSON of what somebody asked for, each kept until it runs; else empty
    Index(None, "blocker", "blocker_partition"),
)

reason = Table(
    "reason",
    metadata,
    # why a workflow partition ran or did not, as intervals; until NULL: it holds now
    Column("workflow", Name, primary_key=True),
    Column("partition", Name, primary_key=True),
    Column("since", Micros, primary_key=True),
    Column("until", Micros),
    Column("code", Name, nullable=False),
    Column("words", Text, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("id", Name, primary_key=True),
    Column("workflow", Name, nullable=False),
    Column("partition", Name, nullable=False),
    Column("kind", Name, nullable=False),  # workflow | ingest | event
    Column("state", Name, nullable=False),  # queued | running | succeeded | failed | superseded | cancelled
    Column("bundle", Name),
    Column("fingerprint", Name, nullable=False),
    Column("definition", BigInteger, nullable=False),
    Column("trigger_key", Name, nullable=False, unique=True),
    Column("cause", Text, nullable=False),  # JSON
    Column("as_of", BigInteger, nullable=False),  # the change_seq at which the inputs were pinned
    Column("pins", Text, nullable=False),  # JSON list of core.facts.Pin
    Column("origins", Name, nullable=False),
    Column("params", Text, nullable=False),
    Column("seed", Name, nullable=False),
    Column("superseded_by", Name),
    Column("created_at", Micros, nullable=False),
    Column("started_at", Micros),
    Column("ended_at", Micros),
    Column("error", Text),
    Column("keeps_place", Boolean, nullable=False, server_default=false()),  # under its workflow's limit
    Column("timeout_seconds", Float),  # of the whole run, from its first grant
    Column("run_class", Integer, nullable=False, server_default="0"),  # see core.ranks.RunClass
    Index(None, "workflow", "partition", "created_at"),
    Index(None, "created_at"),
    # one unfinished run for each workflow partition
    Index(
        "uq_run_unfinished",
        "workflow",
        "partition",
        unique=True,
        sqlite_where=text("state IN ('queued', 'running')"),
        postgresql_where=text("state IN ('queued', 'running')"),
    ),
)

step = Table(
    "step",
    metadata,
    Column("id", Name, primary_key=True),
    Column("run", Name, nullable=False),
    Column("task", Name, nullable=False),
    Column("map_index", Integer),  # which item of a mapped task; NULL: the task is not mapped, or not yet
    Column("spec", Text, nullable=False),  # JSON of what to run, fixed when the run is planned
    Column("state", Name, nullable=False),  # see core/lifecycle.py
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("losses", Integer, nullable=False, server_default="0"),
    Column("pool", Name, nullable=False),
    Column("ready_at", Micros, nullable=False),
    Column("session", Name),
    Column("reason", Text),  # why it was skipped
    Column("limits", Text),  # JSON list of the names of its limits, in the order in which it takes them; NULL: none
    # of a ready step: the name of the limit that it has no place under, @clock between two tries, else empty
    Column("waits_for", Name, nullable=False, server_default=""),
    Column("rank", BigInteger, nullable=False, server_default="0"),  # the lowest goes first, see core/ranks.py
    Column("partitions", Text),  # JSON {dimension: [keys]} that a succeeded step adds when its run ends; NULL: none
    Index(None, "run", "task", "map_index"),
    # what a run still waits for
    Index(
        "ix_step_open",
        "run",
        "task",
        sqlite_where=text("state IN ('blocked', 'ready', 'leased', 'paused')"),
        postgresql_where=text("state IN ('blocked', 'ready', 'leased', 'paused')"),
    ),
    Index(
        "ix_step_ready",
        "waits_for",
        "pool",
        "rank",
        "id",
        sqlite_where=text("state = 'ready'"),
        postgresql_where=text("state = 'ready'"),
    ),
    Index(
        "ix_step_later",
        "pool",
        "ready_at",
        sqlite_where=text("state = 'ready' AND waits_for = '@clock'"),
        postgresql_where=text("state = 'ready' AND waits_for = '@clock'"),
    ),
    Index(
        "ix_step_leased", "session", sqlite_where=text("state = 'leased'"), postgresql_where=text("state = 'leased'")
    ),
)

slot = Table(
    "slot",
    metadata,
    # who has a place under which limit: a step while it is leased (or waits for its next limit), or a run to its end
    Column("limit_name", Name, primary_key=True),
    Column("holder", Name, primary_key=True),  # the id of the step or run
    Column("run", Name, nullable=False),
    Index(None, "run"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("step", Name, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("session", Name, nullable=False),
    Column("nonce", Name, nullable=False),  # names the attempt's own directories
    Column("leased_at", Micros, nullable=False),
    Column("ended_at", Micros),
    Column("outcome", Name),
    Column("error", Text),
    Column("log_bytes", BigInteger, nullable=False, server_default="0"),
)

log_chunk = Table(
    "log_chunk",
    metadata,
    Column("step", Name, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("length", Integer, nullable=False),
    Column("object", Text, nullable=False),  # JSON of a protocol.StoredObject
)

session = Table(
    "session",
    metadata,
    Column("id", Name, primary_key=True),
    Column("secret_hash", Name, nullable=False, unique=True),
    Column("incarnation", Name, nullable=False),
    Column("pool", Name, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("host", Name, nullable=False),
    Column("opened_at", Micros, nullable=False),
    Column("expires_at", Micros, nullable=False),
    Column("closed_at", Micros),
    Index(
        "ix_session_live",
        "expires_at",
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
)

check_result = Table(
    "check_result",
    metadata,
    # what each check found in a version, also in one that never became a head
    Column("version", Name, primary_key=True),
    Column("name", Name, primary_key=True),
    Column("asset", Name, nullable=False),
    Column("partition", Name, nullable=False),
    Column("run", Name, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("blocking", Boolean, nullable=False),
    Column("metadata", Text, nullable=False),  # JSON
    Column("description", Text, nullable=False),
    Column("checked_at", Micros, nullable=False),
    Index(None, "asset", "name", "version"),
    Index(None, "run"),
)

answer = Table(
    "answer",
    metadata,
    # the replies to a session's last requests, so that a repeated request gets the same one
    Column("session", Name, primary_key=True),
    Column("request", BigInteger, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

backfill = Table(
    "backfill",
    metadata,
    # what somebody wants made of a workflow's partitions lo..hi, chunk by chunk
    Column("id", Name, primary_key=True),
    Column("asset", Name, nullable=False),  # what they called it
    Column("workflow", Name, nullable=False),
    Column("lo", Name, nullable=False),
    Column("hi", Name, nullable=False),
    Column("only", Name, nullable=False),  # missing | stale | all
    Column("propagate", Boolean, nullable=False),
    Column("state", Name, nullable=False),  # running | paused | cancelled | done
    Column("by", Name, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("ended_at", Micros),
    Column("next_partition", Name),  # the first that was not looked at; NULL: all were
    Column(
        "skipped", BigInteger, nullable=False, server_default="0"
    ),  # partitions that needed no run, or can have none
    Column("words", Text, nullable=False, server_default=""),  # why it stands as it does, where nobody asked for that
    Index(
        "ix_backfill_going",
        "id",
        sqlite_where=text("state IN ('running', 'paused')"),
        postgresql_where=text("state IN ('running', 'paused')"),
    ),
)

backfill_item = Table(
    "backfill_item",
    metadata,
    # a partition that a backfill has a run made for; those that need none have no row
    Column("backfill", Name, primary_key=True),
    Column("partition", Name, primary_key=True),
    Column("state", Name, nullable=False),  # open (asked for, and not at its end) | made | failed | skipped | left
    Column("asks", Integer, nullable=False, server_default="0"),  # how often its run was asked for: each is a cause
    Column("run", Name),  # its last run that ended
    Index(None, "backfill", "state", "partition"),
)

dynamic_key = Table(
    "dynamic_key",
    metadata,
    # every key that a dimension of a project ever had; one that was taken out stays, as a tombstone
    Column("project", Name, primary_key=True),
    Column("dimension", Name, primary_key=True),
    Column("key", Name, primary_key=True),
    Column("origins", Name, nullable=False),  # what it was learned from: who may not read that may not know the key
    Column("added_at", Micros, nullable=False),
    Column("added_by", Name, nullable=False),  # a principal, or what added it: a workflow, a source
    Column("removed_at", Micros),
    Column("removed_by", Name),
)

dynamic_count = Table(
    "dynamic_count",
    metadata,
    # how many keys a dimension has of each origin set, without those that were taken out
    Column("project", Name, primary_key=True),
    Column("dimension", Name, primary_key=True),
    Column("origins", Name, primary_key=True),
    Column("live", BigInteger, nullable=False),
)

schedule = Table(
    "schedule",
    metadata,
    # the ticks of each on_cron of a workflow's trigger; the row is there as long as the trigger says so
    Column("workflow", Name, primary_key=True),
    Column("cron", Name, primary_key=True),  # see assets.triggers.OnCron.name
    Column("since", Micros, nullable=False),  # ticks up to here are history
    Column("tick", Micros, nullable=False),  # the latest tick that was rung; `since` before the first
    Column("seq", BigInteger, nullable=False),  # the change_seq when it was rung
    Column("next_at", Micros),  # NULL: there is none any more
)

timer = Table(
    "timer",
    metadata,
    # when time alone makes something worth a look
    Column("kind", Name, primary_key=True),  # step | plan | cron | run | trigger
    Column("subject", Name, primary_key=True),
    Column("due_at", Micros, nullable=False),
    Index(None, "due_at"),
)

file = Table(
    "file",
    metadata,
    # the ledger: a row for every (source, path, fingerprint) that was ever seen
    Column("source", Name, primary_key=True),
    Column("path", Name, primary_key=True),
    Column("fingerprint", Name, primary_key=True),
    Column("partition", Name),
    Column(
        "state", String, nullable=False
    ),  # settling ready ingesting committed quarantined unmatched superseded vanished
    Column("reason", Text, nullable=False, server_default=""),
    Column("size", BigInteger, nullable=False),
    Column("seen_at", Micros, nullable=False),
    Column("changed_at", Micros, nullable=False),
    Column("seq", BigInteger, nullable=False),  # order of observation
    Column("run", Name),
    Column("version", Name),
    Index(None, "source", "partition", "state"),
    Index(None, "run"),
    Index(None, "seq"),
)

principal = Table(
    "principal",
    metadata,
    Column("name", Name, primary_key=True),
    Column("kind", Name, nullable=False),  # user | worker
    Column("groups", Text, nullable=False),  # JSON list
    Column("clearances", Text, nullable=False),  # JSON list
    Column("created_at", Micros, nullable=False),
    CheckConstraint("kind IN ('user', 'worker')", name="ck_principal_kind"),
)

token = Table(
    "token",
    metadata,
    Column("hash", Name, primary_key=True),  # sha256 of the token
    Column("id", Name, nullable=False, unique=True),
    Column("principal", Name, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("expires_at", Micros),
    Column("revoked_at", Micros),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Name, primary_key=True),
    Column("at", Micros, nullable=False),
    Column("principal", Name, nullable=False),
    Column("on_behalf", Name),  # the person that `--as` named
    Column("act", Name, nullable=False),
    Column("object", Name, nullable=False),
    Column("allowed", Boolean, nullable=False),
    Column("detail", Text, nullable=False),
    Index(None, "at"),
)
