local x <close> = setmetatable({}, {__close = print})
getmetatable(x).__close = nil
