r"""
Floor 1: everything on disk. Synchronous, no trio. This docstring is the disk format, version 2.0.0.

The state directory
===================
Directories are 0700, files 0600. Names come from `layout`; the text is UTF-8, lines end in LF and nothing else does.

    state.json                               snapshot: everything as of one seq
    state.backup.<UTC stamp>.<seq>.json      the snapshots before it; the stamp is their own last_saved
    identity.json                            who this directory is; made once
    fallback.json                            where its fallback directory is, if it has one
    journal/<first seq, 20 digits>.jsonl     segments of the journal
    tasks/<task id>.json                     one readable file per task
    sessions/<session id>.jsonl              one append-only file per session;  sessions.json  their index, a cache;
                                             search.sqlite  the words of their messages, a cache
    logs/                                    text logs of sessions, older log entries of tasks, output of runs
    reports/report_<id>.json
    archive/                                 what retention moved out of the way
    quarantine/<UTC stamp>/                  damaged bytes, with report.json: what, where from, why
    spool/                                   what the session hook leaves while nothing runs

A UTC stamp is `20260131T235959.000000Z`. A file with `.tmp-` in its name was not in its place yet when something
stopped; it means nothing and may be removed. The truth is the journal and the snapshots; everything else is written
behind them and can be made again from them for as long as a segment or the file itself holds it.

Sealing
=======
A sealed record is a JSON object on one line whose last member is `"crc":"xxxxxxxx"`: the CRC-32 (that of zlib, 8 lower
hex digits) of every byte of the line before `,"crc"`. In a snapshot the name of the section goes into the crc before
the line, so a record is not valid under another heading. An object without other members is `{"crc":"xxxxxxxx"}`, its
crc that of `{`.

The journal
===========
One line per command, one fact or more in each:

    {"v":1,"seq":41,"durable":40,"ts":"…","cmd":"task.create","facts":[{"op":…,"id":…,"rev":…,"data":{…}}],
     "prev":"0f3a9c11","crc":"7be02d5c"}                                                            (on one line)

- `seq` counts from 1 without a gap and is never used again.
- `durable` is the highest seq known to be synced when the line was written; it never falls.
- `prev` is the crc of line `seq` - 1. It is `00000000` in line 1, and in the first line of a segment whose writer had
  not read the line before.
- A segment is named by the seq of its first line (or, when it is empty, of the line that will be). It is begun only
  when every line before that seq is durable, and renamed into place after it was synced; then the directory is synced.
- Zeros after the last line are a segment's normal end (it grows in preallocated steps); they are cut when it is closed.
- All lines of a commit are written by one write and made durable by one fdatasync. A segment that another process, or
  this one before a failure, has written is never appended to.

Reading it (`journal_scan`). *Authority*: segment k decides about the seqs from its own first one up to that of segment
k+1; what it holds beyond is superseded. *D* is the highest of: every `durable` in a good line; the last segment's first
seq - 1; the seq of the base. A line is good when its crc is right, its seq is the next and its `prev` fits.

    the first place that is not good, where the next seq is …
    above D          torn: never acknowledged. The journal ends there; what follows is kept in quarantine and cut.
    at or below D    damaged: the place and the missing seqs are reported, good lines after it are still read,
                     also those that come late. Nothing of it is cut.
    anywhere         a segment that the disk cannot read is damage; a good line with a higher `v` stops everything.

At every start the good lines above D are copied to a new segment, which is synced before they are believed
(`journal_tail`). Order of every cut: copy to quarantine, put the new segment in place, cut the old one.

A segment may open with a head: `{"v":1,"epoch":3,"base_seq":40,"base_crc":"…","daemon_id":"…","crc":"…"}` (sealed). It
was begun in a fallback directory, and is no line of the journal.

Segments go from the oldest on, when no base (state.json, backup, or what is written behind the journal) needs a line.

state.json and its backups
==========================
Valid JSON. The header first, one member per line; then each section, an array with one sealed record per line; then the
checksum of every byte before its own line:

    {
    "version":"2.0.0",
    "seq":40,
    "epoch":3,
    "last_saved":"2026-01-31T23:59:59.000Z",
    "metrics":{…,"crc":"…"},
    "identity":{…,"crc":"…"},
    "daemon":{…,"crc":"…"},
    "watermarks":{"files_seq":38,"lease_max":7,"crc":"…"},
    "tasks":[
    {"id":"task_1",…,"rev":2,"crc":"…"},
    {"id":"task_2",…,"rev":1,"crc":"…"}
    ],
    "sessions":[ … ], "runs":[ … ], "recent_events":[ … ], "idempotency":[ … ], "tombstones":[ … ],
    "logs":[ … ], "reports":[ … ], "services":[ … ],                           (each laid out as tasks)
    "checksum":"sha256:<64 hex digits>"}

`watermarks`, `logs`, `reports` and `services` are Perdure's own: how far the files behind the journal are durable and
the highest lease given out; the byte counts of text logs; the index of the reports; the services, which older files
lack. Empty sections are `"name":[`, `],`.

Order of writing: the new file under a temporary name, synced in slices and as a whole; the old state.json linked to its
backup name, directory synced; the new one renamed into place, directory synced; backups beyond the number kept removed,
directory synced. There is never a moment without a state.json, and it is always one that was complete.

A file whose checksum is right is whole. In any other each record stands for itself, by its crc. A version above 2.0 is
refused, untouched; but a file that has our checksum with our version put in is a damaged digit.

Written behind the journal
==========================
- tasks/<id>.json: the task, indented by 2, members in the order `task_text` lists, `rev` last. Replaced by rename.
- sessions/<id>.jsonl: sealed lines. First `{"v":1,"id":…,"created_at":…,"version":…,"crc":…}`; then, in the order
  of the journal, `{"kind":"message","index":N,"data":{…},"crc":…}`, N from 1 without a gap, and
  `{"kind":"meta","rev":N,"data":{the session's row},"crc":…}`. Appended by index, so that replaying changes nothing.
  A session saved with other messages, or restored to earlier ones (`session.rewound`: the first `keep` messages of the
  file `source`), gets a new file, which begins with the metadata of that rev, and the old one is archived.
- sessions/sessions.json: a JSON list, one session's row per line. A cache.
- sessions/search.sqlite, search.sqlite-wal: SQLite with FTS5, made by the first search (`search_cache`). SQLite writes
  them itself. Whatever a crash leaves is as of some transaction, of words and of how far they go, and is gone on with;
  a cache with damage, or of another directory, is made anew. Both may be removed at any time.
- logs/session_<id>.log: text, written at the offset that the fact names. logs/task_<id>.log: sealed lines
  `{"kind":"entry","index":N,"data":{timestamp, level, type, message},"crc":…}`, the entries that left the task's row,
  oldest first. logs/run_<id>.stdout.log and .stderr.log: what an agent wrote, byte for byte, at the offset it had.
- reports/report_<id>.json: `{"id","created_at","data"}`, indented by 2. Replaced by rename.
- archive/<kind>/<id>/<n>/: the files of what left (tasks, sessions, runs, reports), under their own names, and
  `row.archived`, its row, written last. The fact comes first; the files follow it behind the journal, and again after
  a crash. archive/sessions/<id>/before-rev-<rev>.jsonl: a session's file until that rev put other messages in it.
- archive/snapshots/: of the backups that left, the newest of each day. archive/restored-<UTC stamp>/: the snapshot of
  before a restore. archive/pre-migration/: the directory as it was before a migration; then
  archive/rolled-back-<UTC stamp>/: what going back to it moved aside. archive/migrating/ is there only while a
  migration runs, archive/rolling-back only while one is undone: nothing starts on such a directory.
- identity.json: `{"daemon_id","node_id","repo_root","created_at","version"}`, indented by 2; snapshots carry a copy.

The fallback directory (`state.fallback_path`)
==============================================
    fallback.json                       `{"v":1,"daemon_id":…,"state_path":…}`: whose it is
    journal/<first seq>.jsonl           segments, each with a head
    journal/<first seq>.jsonl.superseded-<epoch>   doubtful bytes of a segment that was begun anew

While the state directory cannot be written the journal goes on here, from the line `base_seq` on: everything up to it
is durable there. `epoch` is that of the writer's life, higher than any before it. The state directory has a
`fallback.json` of its own, `{"v":1,"path":…}`: without a look at that place nothing is recovered.

Merging (`fallback_case` has the table): what the state directory's journal holds above the base is copied to
quarantine, the segments are copied into it, each durable before the next step; it goes on behind them; then they are
removed here. A segment that is in both has the same lines in both, so a crash at any point changes nothing.

quarantine/<UTC stamp>/report.json
==================================
`{"v":1,"stamp":…,"items":[{"file","source","offset","bytes","reason"}],"lost":[{"source","problem"}]}`: `file` lies
beside the report and holds `bytes` bytes that lay in `source` (relative to the state directory) from `offset` on.
Pieces are durable before the original is cut, replaced or removed. `lost`, where there is one, is what a repair could
find nowhere.
"""
