table.sort({1, 2, 3}, function(a, b) return a.x < b end)
