#!/usr/bin/env bash
# Registers the experiments of this page: ./register.sh URL KEY, with a key of scope admin.
set -euo pipefail
url=${1:?where the server listens} key=${2:?a key of scope admin}
api() { curl -fsS -H "Authorization: Bearer $key" -H 'If-Match: *' "$url/api/v1$1" -X POST ${2:+-d "$2"}; echo; }

api /experiments '{
  "key": "home-banner",
  "variants": [
    {"key": "control"},
    {"key": "sampler", "content": {"html": "<div class=\"banner\"><div><h1>Not sure? Try six.</h1><p>The sampler: six teas, one price, free shipping.</p></div> <a href=\"#teas\">Get the sampler</a></div>"}}
  ],
  "primary_metric": "revenue_per_visitor",
  "secondary_metrics": ["conversion", "aov"],
  "allocator": {"type": "thompson"}
}'
api /experiments '{
  "key": "shipping-note",
  "variants": [{"key": "control"}, {"key": "free", "content": "Free shipping from $30"}],
  "primary_metric": "conversion"
}'
api /experiments '{
  "key": "tea-order",
  "variants": [{"key": "control"}, {"key": "by-price", "content": {"json": {"by": "price"}}}],
  "primary_metric": "conversion"
}'
for experiment in home-banner shipping-note tea-order; do api "/experiments/$experiment/start"; done
