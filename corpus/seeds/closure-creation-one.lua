-- moonphase: lua=5.4 gc=5.1 check=barrier
-- clean: gc=5.2
-- clean: gc=5.4
-- Observed: the chunk's prototype has the prototypes of both functions nested in it. The closure of the chunk executes. Each
-- function captures variables from the stack: `first` is opened for the one, found open and shared by the other, which opens
-- `second` too. When the chunk returns both are closed, the innermost variable first.
collectgarbage("stop")

local M = {}

local first = 1
local second = 2

function M.one()
  return first
end

function M.two()
  return first, second
end

print("made both")
return M
