local co = coroutine.wrap(function() error({}) end)
co()
