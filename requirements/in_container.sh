#!/bin/sh
# Run a command in the container, then give what it left in build/ to whoever started the container: OWNER=uid:gid.
"$@"
code=$?
test -z "$OWNER" || chown -R "$OWNER" build
exit $code
