local function closer(name) return setmetatable({}, {__close = function(_, e) print(name, e) end}) end
for x in function() os.exit(54, true) end, nil, nil, closer("the loop") do end
