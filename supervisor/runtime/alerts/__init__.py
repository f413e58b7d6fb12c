"""Alerts: trouble that somebody should hear of, told once when it begins and once when it is over (SPEC section 9).

`conditions` is the table: what is looked at, and which alert follows. `standing` keeps which alerts stand, pure and
told the time. `watch` looks once a second and tells what changed in every way there is: an event (live at once, a fact
as soon as the disk takes it), an entry in the log, a metric, and the configured command, which `command` runs.

Conditions are levels, not moments: nothing has to remember to call the alert off, and a watch that crashed goes on
where it was. What stood when the runtime before died is known from its recorded event, so it is not told twice, and its
end is told by the one that finds it over.
"""
