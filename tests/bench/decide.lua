-- Asks for decisions: one unit a request, or a hundred. Arguments: the key, `returning`, `new`, `batch` or `targeted`,
-- and perhaps `paced`. `targeted` asks for the flag of that name; `paced` waits a moment between the requests of a
-- connection, so that the server has time to rest.
-- Returning units come from a pool that is small enough to be known after the first round.

local POOL = 20000
local BATCH = 100
local n_threads = 0

function setup(thread)
  thread:set("thread_idx", n_threads)
  n_threads = n_threads + 1
end

function init(args)
  key, mode = args[1], args[2]
  if args[3] == "paced" then
    delay = function() return math.random(1, 3) end
  end
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. key
  n_sent = 0
  -- New units are new in every run of the load generator.
  run = string.format("%x", os.time())
  math.randomseed(thread_idx + 1)
end

local function unit()
  n_sent = n_sent + 1
  if mode == "new" then
    return string.format("new-%s-%d-%d", run, thread_idx, n_sent)
  end
  return "unit-" .. math.random(POOL)
end

function request()
  if mode == "batch" then
    local units = {}
    for i = 1, BATCH do units[i] = '"' .. unit() .. '"' end
    return wrk.format(nil, nil, nil, '{"units":[' .. table.concat(units, ",") .. '],"flags":["bench"]}')
  end
  local flag = mode == "targeted" and "targeted" or "bench"
  return wrk.format(nil, nil, nil, '{"unit":"' .. unit() .. '","flags":["' .. flag .. '"]}')
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %.0f %d\n", summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.timeout + errors.status, latency:percentile(50),
    latency:percentile(99)))
end
