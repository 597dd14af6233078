#!/usr/bin/env bash
# Takes the passwords of Operate's stock users away. "{bcrypt}-" is no hash of anything, so no log-in matches it.
set -euo pipefail

curl --fail --silent --show-error --user "elastic:$ELASTIC_PASSWORD" --header 'Content-Type: application/json' \
  "http://elasticsearch:9200/operate-user-1.2.0_/_update_by_query?refresh=true&conflicts=proceed" --data '{
    "query": { "terms": { "userId": ["act", "view"] } },
    "script": { "source": "ctx._source.password = \"{bcrypt}-\"" }
  }' | grep -q '"updated":2,'
