-- POST /api/agent/v1/runs/{run}/batch: each thread is one agent with one connection at a time, one run and one stream,
-- and sends ten lines after ten lines. It goes on from its offset only when the ones before were acknowledged.
-- Arguments: a file with a line "path credential fence" per thread, stream id, "close" or "keep" the connection,
-- number of the first batch, which stands in its lines.
local lines = require("lines")
done = require("report")
local known = 0

function setup(thread)
  thread:set("number", known)
  known = known + 1
end

local head, offset, first
local pieces, of_line = {}, {}

local function variable()
  pieces[#pieces + 1] = ""
  return #pieces
end

local function lay_out(stream)
  pieces[1] = '{"stream":"' .. stream .. '","offset":'
  variable()
  pieces[3] = ',"items":['
  for i = 1, lines.count do
    local text, at = lines.texts[i], {}
    pieces[#pieces + 1] = (i == 1 and "" or ",") .. '{"k":"line","time":'
    at.time = variable()
    pieces[#pieces + 1] = ',"level":"' .. text.level .. '","source":"status","text":"' .. text.first
    at.number = variable()
    pieces[#pieces + 1] = text.middle
    at.digits = variable()
    pieces[#pieces + 1] = text.last
    at.tag = variable()
    pieces[#pieces + 1] = i .. ']"}'
    of_line[i] = at
  end
  pieces[#pieces + 1] = "]}"
end

function init(args)
  local row = 0
  for line in io.lines(args[1]) do
    if row == number then
      local path, credential, fence = line:match("^(%S+) (%S+) (%S+)$")
      head = lines.head(path, {
        Connection = args[3] == "close" and "close" or "keep-alive",
        Authorization = "Bearer " .. credential,
        ["X-Goliat-Fence"] = fence,
      })
    end
    row = row + 1
  end
  offset, first = 0, tonumber(args[4])
  lay_out(args[2])
end

function request()
  local micros, text = lines.micros(), (number + 1) .. "/" .. first + offset / lines.count .. "/"
  pieces[2] = offset
  for i = 1, lines.count do
    local at = of_line[i]
    pieces[at.time] = micros
    pieces[at.number] = lines.number()
    pieces[at.digits] = lines.three_digits()
    pieces[at.tag] = text
  end
  local body = table.concat(pieces)
  return head .. #body .. "\r\n\r\n" .. body
end

function response(status)
  if status == 200 then offset = offset + lines.count end
end
