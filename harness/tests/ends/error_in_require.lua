package.preload.broken = function(...) print(...) error("cannot be loaded") end
require("broken")
