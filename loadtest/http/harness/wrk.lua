-- Sends the requests of a file in turn, and prints what became of them as a line of JSON.
-- A line of the file is METHOD, PATH and, after another space, the body, if there is one.

local prepared = {}
local sent = 0

function init(args)
   for line in io.lines(args[1]) do
      local method, path, body = line:match("^(%S+) (%S+) ?(.*)$")
      prepared[#prepared + 1] = wrk.format(method, path, nil, body ~= "" and body or nil)
   end
end

function request()
   sent = sent + 1
   return prepared[(sent - 1) % #prepared + 1]
end

-- Times are in microseconds.
function done(summary, latency, _)
   local errors = summary.errors
   print(string.format(
      '{"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"refused":%d,"broken":%d}',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
