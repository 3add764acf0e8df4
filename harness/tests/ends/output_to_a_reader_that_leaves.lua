-- command: lua output_to_a_reader_that_leaves.lua | head -n 1
for i = 1, 1000000 do print(i) end
