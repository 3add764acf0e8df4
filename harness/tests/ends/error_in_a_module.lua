-- command: echo 'local x = =' > broken.lua; lua error_in_a_module.lua; code=$?; rm broken.lua; exit $code
package.path = "./?.lua"
require("broken")
