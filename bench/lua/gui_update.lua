-- POST /api/gui-update: a log_batch of ten lines from each of some machines in turn; `sequence` grows per machine.
-- Arguments: threads, number of machines, first sequence, "close" or "keep" the connection.
local lines = require("lines")
done = require("report")

local known = 0

-- The machines are shared out among the threads: each has one sender.
function setup(thread)
  thread:set("number", known)
  known = known + 1
end

local head, threads, machine, machines, sequence
-- The pieces of a body: constant ones are put in once, the others by their positions in each request.
local pieces, of_line, after = {}, {}, 0

local function constant(text)
  pieces[#pieces + 1] = text
end

local function variable()
  pieces[#pieces + 1] = ""
  return #pieces
end

local function lay_out()
  constant('{"machineId":"10.0.0.')
  variable()
  constant('","message":{"type":"log_batch","logs":[')
  for i = 1, lines.count do
    local text, at = lines.texts[i], {}
    constant((i == 1 and "" or ",") .. '{"type":"status","message":"' .. text.first)
    at.number = variable()
    constant(text.middle)
    at.digits = variable()
    constant(text.last)
    at.tag = variable()
    constant(i .. ']","log_type":"' .. text.level .. '","timestamp":')
    at.time = variable()
    constant("}")
    of_line[i] = at
  end
  constant('],"sequence":')
  after = variable()
  constant('},"timestamp":')
  variable()
  constant("}")
end

function init(args)
  threads, machines, sequence = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  machine = number - threads + 1
  head = lines.head(wrk.path, { Connection = args[4] == "close" and "close" or "keep-alive" })
  lay_out()
end

function request()
  machine = machine + threads
  if machine > machines then
    machine, sequence = number + 1, sequence + 1
  end
  local time = lines.time()
  local tag = machine .. "/" .. sequence .. "/"
  pieces[2], pieces[after], pieces[after + 2] = machine, sequence, time
  for i = 1, lines.count do
    local at = of_line[i]
    pieces[at.number] = lines.number()
    pieces[at.digits] = lines.three_digits()
    pieces[at.tag] = tag
    pieces[at.time] = time
  end
  local body = table.concat(pieces)
  return head .. #body .. "\r\n\r\n" .. body
end
