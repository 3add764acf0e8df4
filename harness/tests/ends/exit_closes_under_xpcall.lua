xpcall(function()
  local x <close> = setmetatable({}, {__close = function(_, e) print("closing", e) error("from close") end})
  os.exit(6, true)
end, function(m) print("handler", m) return m end)
