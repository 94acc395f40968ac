-- Sends each request of a file once, in order. The file holds, for each, its length as a line and
-- its bytes. Prints one line of JSON at the end. Used with one thread of wrk.

local requests, at = {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  while true do
    local length = file:read("*n", "*l")
    if not length then break end
    requests[#requests + 1] = file:read(length)
  end
  file:close()
end

-- When all are used up a probe goes out in place of a request, and the run does not count.
function request()
  at = at + 1
  if at > #requests then
    wrk.thread:set("used_up", 1)
    return "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
  end
  return requests[at]
end

local threads = {}
function setup(thread)
  threads[#threads + 1] = thread
end

function done(summary, latency, _)
  local ran_out = 0
  for _, thread in ipairs(threads) do
    if thread:get("used_up") then ran_out = 1 end
  end
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "seconds": %.6f, "bad_status": %d, "broken": %d, "ran_out": %d, '
      .. '"p50_ms": %.3f, "p99_ms": %.3f}',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, ran_out,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
