"""
Supervision in Erlang/OTP's terms, for anything that is an async function: an actor or an OS process.

One supervisor, from the pure middle outwards::

      spec, rules,             what is wanted, as frozen values and tables          (pure)
      policy, states
                 |
              roster           every decision: who stops, who starts, who gives up  (pure, told the time)
                 |
      supervisor, life         the hands: tasks, cancel scopes, deadlines           (trio)
                 |
      process                  an OS process as a child's run function

Things happen to children in tasks of their own; they only leave a note (`ready`, `exited`, `stop`) and wake the
supervisor's one control loop. The loop gives the notes to the roster, which decides at once and never waits: so a
stop during a backoff, a sibling's crash during a restart or a question during a crash loop are no special cases.

Nothing is imported here, so that reading a spec or a policy costs no event loop.
"""
