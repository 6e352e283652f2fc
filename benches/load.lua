-- The requests of one round, for wrk: lines "METHOD PATH [BODY]" of the file in WRK_REQUESTS, one after the other.
-- %d in a line is replaced by a number that counts up.
local headers = { authorization = "Bearer " .. os.getenv("WRK_KEY"), ["content-type"] = "application/json" }
if os.getenv("WRK_KNOWN") then headers["if-none-match"] = os.getenv("WRK_KNOWN") end

local requests, templates, at, count = {}, {}, 0, 0

function init()
  for line in io.lines(os.getenv("WRK_REQUESTS")) do
    local method, path, body = line:match("^(%u+) (%S+) ?(.*)$")
    if line:find("%%d") then
      templates[#templates + 1] = { method, path, body }
    else
      requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
    end
  end
  at = 0
end

function request()
  if #templates > 0 then
    local one = templates[1]
    count = count + 1
    local path, body = one[2]:gsub("%%d", count), one[3]:gsub("%%d", count)
    return wrk.format(one[1], path, headers, body ~= "" and body or nil)
  end
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  ))
end
