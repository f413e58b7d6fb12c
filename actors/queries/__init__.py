"""Queries: pure functions of the durable tables and the parameters, one module per noun (floor 1, no trio).

A query gives the encoded result, or, when only the disk knows, a job for the writer's background thread. Lists splice
the rows' own bytes; a page ends early when it has looked at too much or grown too long, and its cursor says where.
"""
