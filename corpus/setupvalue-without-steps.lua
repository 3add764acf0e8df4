-- moonphase: lua=5.4 gc=5.1 check=barrier schedule=stress
-- finding: black-to-white setupvalue upvalue->table
-- clean: gc=5.1,setupvalue=upvalue
-- clean: gc=5.2
-- clean: gc=5.4
-- The script never asks for the collector and makes too little garbage to wake it: only a schedule shows the fault.
local make
do
  local shared
  make = function()
    return function() return shared end
  end
end

kept = make()
for i = 1, 200 do
  debug.setupvalue(make(), 1, { i })
end
print(kept()[1])
