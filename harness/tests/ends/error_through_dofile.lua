-- command: echo 'error("inside")' > inner.lua; lua error_through_dofile.lua; code=$?; rm inner.lua; exit $code
dofile("inner.lua")
