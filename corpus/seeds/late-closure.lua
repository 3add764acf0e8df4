-- moonphase: lua=5.4 gc=5.1 check=barrier
-- clean: gc=5.2
-- clean: gc=5.4
-- Observed: a function that is made when the function whose variable it wants has long returned gets it all the same. The
-- variable is no longer on any stack: its upvalue is closed. It is found in the enclosing closure, which captured it for that.
collectgarbage("stop")

local function outer()
  local data = {}
  local function make()
    local function late()
      return data
    end
    return late
  end
  return make
end

local make = outer()
print("outer has returned")
local late = make()
print(type(late()))
