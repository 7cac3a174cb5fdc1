"""What all apps share: no models, no requests of an app.

locks           advisory locks of PostgreSQL, by name
database_clock  PostgreSQL's clock, by which all hosts decide
prepared_statements  SQL that PostgreSQL plans once per connection
redis_client    this process's connection to Redis
transitions     tables of what a state may become
reasons         why something is in its state: a code, parameters, and the sentence made of them
caching         how public pages are cached, and their ETag
storage         where uploaded files are stored
link_check      whether the links of a text lead somewhere (link_requests asks, and reaches no network of ours)
pictures        uploaded pictures re-encoded in a sandboxed process (picture_child)
"""
