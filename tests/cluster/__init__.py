"""A cluster to test against: a real PostgreSQL server that holds a recording, behind a proxy.

`recording` reads what a real CockroachDB answered, `postgres` runs the server, `database` fills one
of its databases from a recording, `proxy` stands between guard and that server: it makes PostgreSQL
announce itself as CockroachDB, writes down what guard sends, and breaks things on demand. `process`
runs guard as a user does.
"""
