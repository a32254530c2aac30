-- Sends orders of known units in batches of 500. Argument: the key.

local BATCH = 500
local POOL = 20000
local n_threads = 0

function setup(thread)
  thread:set("thread_idx", n_threads)
  n_threads = n_threads + 1
end

function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. args[1]
  n_sent = 0
  run = string.format("%x", os.time())
  math.randomseed(thread_idx + 1)
end

function request()
  local events = {}
  for i = 1, BATCH do
    n_sent = n_sent + 1
    local id = string.format("%s-%d-%d", run, thread_idx, n_sent)
    events[i] = string.format(
      '{"type":"track","event":"Order Completed","userId":"unit-%d","messageId":"%s/completed",' ..
      '"properties":{"order_id":"%s","revenue":"%d.%02d","currency":"USD"}}',
      math.random(POOL), id, id, math.random(200), math.random(0, 99))
  end
  return wrk.format(nil, nil, nil, '{"batch":[' .. table.concat(events, ",") .. ']}')
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %.0f %d\n", summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.timeout + errors.status, latency:percentile(50),
    latency:percentile(99)))
end
