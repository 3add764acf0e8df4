warn("@on")
kept = {kept, setmetatable({}, {__gc = function() print("still called") end})}
kept = {kept, setmetatable({}, {__gc = function() error("from gc") end})}
kept = {kept, setmetatable({}, {__gc = function() error({}) end})}
kept = {kept, setmetatable({}, {__gc = function() error(setmetatable({}, {__tostring = function() return "object" end})) end})}
kept = {kept, setmetatable({}, {__gc = function() error(12) end})}
kept = {kept, setmetatable({}, {__gc = function() error() end})}
kept = {kept, setmetatable({}, {__gc = function() local x = nil + 1 end})}
kept = {kept, setmetatable({}, {__gc = function() string.rep() end})}
kept = {kept, setmetatable({}, {__gc = true})}
kept = {kept, setmetatable({}, {__gc = setmetatable({}, {__call = function() error("called") end})})}
error("main")
