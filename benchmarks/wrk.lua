-- Posts touchpoints, each with an id of its own; the rest of each comes from a file, one JSON object a line without
-- its opening brace. Arguments: FILE ITEMS TAG KEY. Prints one line of JSON when it is done.

local rest, items, tag, headers, number = {}, 1, "", {}, 0

function init(args)
  for line in io.lines(args[1]) do rest[#rest + 1] = line end
  items, tag = tonumber(args[2]), args[3]
  headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. args[4] }
end

local function item()
  number = number + 1
  return '{"id":"' .. tag .. "-" .. number .. '",' .. rest[number % #rest + 1]
end

function request()
  if items == 1 then return wrk.format("POST", nil, headers, item()) end
  local parts = {}
  for place = 1, items do parts[place] = item() end
  return wrk.format("POST", nil, headers, "[" .. table.concat(parts, ",") .. "]")
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"took_us":%d,"refused":%d,"broken":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
