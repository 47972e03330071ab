-- Tile requests for wrk. Arguments after --: path prefix, level, tiles of that level, first contrast step, "unique"
-- or "same". Unique: every tile in turn, and one more step of contrast after each round of all tiles, so that no
-- request is ever repeated and no tile cache helps.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  prefix, level, tiles = arguments[1], arguments[2], tonumber(arguments[3])
  step, unique = tonumber(arguments[4]), arguments[5] == "unique"
  sent, good, refused, wrong = 0, 0, 0, 0
end

function request()
  local tile, contrast = 0, 1 + step * 0.01
  if unique then
    tile = sent % tiles
    contrast = contrast + math.floor(sent / tiles) * 0.01
  end
  sent = sent + 1
  return wrk.format("GET", string.format("%s&CNT=%.2f&QLT=90&JTL=%s,%d", prefix, contrast, level, tile))
end

function response(status, headers)
  -- VisiOmatic 3.0.7 says image/jpg
  local kind = headers["Content-Type"] or headers["content-type"]
  if status == 200 and (kind == "image/jpeg" or kind == "image/jpg") then
    good = good + 1
  elseif status == 503 and (headers["Retry-After"] or headers["retry-after"]) then
    refused = refused + 1
  else
    wrong = wrong + 1
  end
end

function done(summary, latency)
  local sent, good, refused, wrong = 0, 0, 0, 0
  for _, thread in ipairs(threads) do
    sent = sent + thread:get("sent")
    good = good + thread:get("good")
    refused = refused + thread:get("refused")
    wrong = wrong + thread:get("wrong")
  end
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"seconds": %f, "sent": %d, "good": %d, "refused": %d, "wrong": %d, "broken": %d, "bytes": %d, ' ..
    '"p50": %f, "p95": %f, "p99": %f, "longest": %f}\n',
    summary.duration / 1e6, sent, good, refused, wrong,
    errors.connect + errors.read + errors.write + errors.timeout, summary.bytes,
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
