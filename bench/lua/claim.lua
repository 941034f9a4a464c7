-- POST /api/agent/v1/claim: each request is of another agent, with a connection of its own.
-- Arguments: threads, a file with a line "credential body" per agent. The threads share them out.
-- Prints, beside what was measured, a line "taken ID" for each assignment that was given out, "nothing" where none was.
local report = require("report")
local known = 0
local threads = {}

function setup(thread)
  thread:set("number", known)
  known = known + 1
  threads[known] = thread
end

local asks, asked = {}, 0
taken = {}

function init(args)
  local count, row = tonumber(args[1]), 0
  for line in io.lines(args[2]) do
    if row % count == number then
      local credential, body = line:match("^(%S+) (.+)$")
      asks[#asks + 1] = wrk.format("POST", "/api/agent/v1/claim", {
        Host = "127.0.0.1",
        Connection = "close",
        Authorization = "Bearer " .. credential,
        ["Content-Type"] = "application/json",
      }, body)
    end
    row = row + 1
  end
end

function request()
  asked = asked + 1
  -- Whoever ran out asks again with what it has: the answer shows it, and the measurement is void.
  return asks[asked] or asks[#asks]
end

function response(status, headers, body)
  taken[#taken + 1] = body:match('"assignmentId":"([^"]+)"') or "nothing"
end

function done(summary, latency)
  for _, thread in ipairs(threads) do
    for _, id in ipairs(thread:get("taken")) do io.write("taken " .. id .. "\n") end
  end
  report(summary, latency)
end
