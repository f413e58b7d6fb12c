"""Floor 4: the protocol without any socket (SPEC section 6): bytes in, commands out; outcomes in, bytes out.

bytes → `framing` (lines) → `strict_json` (values) → `jsonrpc` (calls) → `methods` (the table) → `validation` (structs);
back: `faults` (errors) and `jsonrpc` (replies). `openrpc` describes the table to others. Nothing here waits, reads a
clock or knows trio. This file imports nothing: the blocking client needs `names` and `faults` only.
"""
