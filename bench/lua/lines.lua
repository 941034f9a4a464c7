-- Ten log lines as a GOLIAT study writes them, about 100 characters each, with numbers that vary from line to line.
-- Every line ends with [machine/sequence/position], so that what arrived can be told apart and counted.
--
-- Made of ready pieces and one table.concat: the generator shares the machine with the server that it measures.
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long micros; } bench_time;
  int gettimeofday(bench_time *now, void *zone);
]]
local now = ffi.new("bench_time")

local lines = { count = 10 }

-- A number, another one of three digits, the tag.
local TEXTS = {
  { "progress", "    - Voxelize simulation: # of 412 components placed, finest step 0.# mm in the skin" },
  { "success", "      - Done in #.# s; the grid of this simulation is written, its hash is as expected" },
  { "default", "      - Tissue #: peak spatial-average SAR over 10 g is 0.# W/kg around the maximum" },
  { "info", "    - Input power normalised to # mW; the balance of power closes to 99.# % overall" },
  { "progress", "    - Extract results of sensor #: mean 0.# V/m over the whole body and the sweep" },
  { "highlight", "  - Estimated memory of the solver: # MB on the card, # MB beside it; one GPU will do" },
  { "default", "      - Antenna placed at # mm, rotated by # degrees around the axis of the left ear" },
  { "success", "      - Done in #.# s; project saved and released, next direction of incidence follows" },
  { "warning", "    - WARNING: # voxels of air lie in the tissue mask, filled from within 0.# mm" },
  { "progress", "  - Setup simulation: boundaries, # point sensors and source at # MHz are ready now" },
}

local numbers, padded = {}, {}
for i = 0, 999 do
  numbers[i] = tostring(i)
  padded[i] = string.format("%03d", i)
end

-- The level and the three parts of each text around its two numbers.
lines.texts = {}
for i, entry in ipairs(TEXTS) do
  local first, middle, last = entry[2]:match("^([^#]*)#([^#]*)#([^#]*)$")
  lines.texts[i] = { level = entry[1], first = first, middle = middle, last = last .. "  [" }
end

local state = os.time() % 2147483648
local function random()
  state = (state * 1103515245 + 12345) % 2147483648
  return math.floor(state / 65536) % 1000
end

function lines.number() return numbers[random()] end
function lines.three_digits() return padded[random()] end

-- Real time, unix seconds with six digits, as text.
function lines.time()
  ffi.C.gettimeofday(now, nil)
  local micros = tonumber(now.micros)
  return tonumber(now.seconds) .. "." .. padded[math.floor(micros / 1000)] .. padded[micros % 1000]
end

-- Real time, unix microseconds without exponent, as text.
function lines.micros()
  ffi.C.gettimeofday(now, nil)
  local micros = tonumber(now.micros)
  return tonumber(now.seconds) .. padded[math.floor(micros / 1000)] .. padded[micros % 1000]
end

-- Everything of an HTTP request up to the length of its body.
function lines.head(path, headers)
  local text = { "POST " .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" }
  for name, value in pairs(headers) do text[#text + 1] = name .. ": " .. value .. "\r\n" end
  text[#text + 1] = "Content-Length: "
  return table.concat(text)
end

return lines
