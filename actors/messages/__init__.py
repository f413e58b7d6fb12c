"""Floor 1: what is said to an actor. One frozen struct of parameters per method, and the request that carries one.

A struct holds what the wire has checked already: the types, the bounds and the names (SPEC section 6). Whatever depends
on rows is not judged here but in the actors' decisions: whether a text becomes an id, what a transition allows, whose
lease it is. `idempotency_key` is no member of any struct: it is taken off before, and travels in the request.

Members that may be absent in a change (`task.update`) are UNSET then, so that null and absent differ.
"""
