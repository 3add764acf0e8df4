print(collectgarbage("incremental"))
print(collectgarbage("generational"))
