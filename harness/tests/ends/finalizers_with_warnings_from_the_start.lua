kept = {setmetatable({}, {__gc = function() warn("@on") warn("from a finalizer") error("then") end}),
  setmetatable({}, {__gc = function() error("not yet on") end})}
