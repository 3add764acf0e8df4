package.preload.leaver = function() local x <close> = setmetatable({}, {__close = function(_, e) print("never", e) end}) os.exit(53, true) end

local x <close> = setmetatable({}, {__close = function(_, e) print("closed", e) end})
require("leaver")
