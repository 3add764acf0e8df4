error(setmetatable({}, {__name = "My.Type"}))
