//! Coroutines: where they can yield, how they end, and what of them stays.

mod common;

use common::check;

#[test]
fn a_yield_may_cross_protected_calls_metamethods_iterators_and_closing() {
    check(
        "local yield = coroutine.yield
        local meta = {
            __add = function() return yield('add') end, __index = function(_, key) return yield(key) end,
            __newindex = function(t, k, v) rawset(t, k, yield('new') + v) end, __lt = function() return yield('lt') end,
            __concat = function() return yield('cat') end, __call = function(_, ...) return yield('call', ...) end,
            __len = function() return yield('len') end, __eq = function() return yield('eq') end,
            __pairs = function() return yield('pairs') end, __close = function(_, e) yield('close', e) end,
        }
        local function new() return setmetatable({}, meta) end
        local co = coroutine.wrap(function()
            local x = new()
            local r = {x + 1, x.field, #x, 'a' .. 'b' .. x .. 'c', x(7), x == new(), x < 1}
            x.key = 10
            r[#r + 1] = rawget(x, 'key')
            for k in pairs(x) do r[#r + 1] = k end
            for k in function(_, n) return yield('iterate', n) end do r[#r + 1] = k end
            do local y <close> = new() end
            r[#r + 1] = select(2, pcall(function() local y <close> = new() error('thrown', 0) end))
            r[#r + 1] = select(2, xpcall(function() yield('inside') error('again', 0) end, function(m) return m .. '+' end))
            for i, v in ipairs(r) do r[i] = tostring(v) end
            return table.concat(r, ' ')
        end)
        local answers = {[9] = function(_, k) if not k then return 'only' end end, [10] = 'turn', [11] = false}
        local n = 0
        local function show(...) n = n + 1 io.write(tostring((...)), ' ') return (...) end
        local value = show(co())
        while not value:find(' ') do
            local answer = answers[n]
            if answer == nil then answer = n elseif answer == false then answer = nil end
            value = show(co(answer))
        end
        print()",
        "add field len cat call eq lt new pairs iterate iterate close close inside \
         1 2 3 ab4 5 true true 18 only turn thrown again+ \n",
    );
}

#[test]
fn a_wrapped_coroutine_raises_its_error_after_closing_its_variables() {
    check(
        "local function closer(name, fails)
            return setmetatable({}, {__close = function(_, e) print(name, e) if fails then error(fails, 0) end end})
        end
        print(pcall(coroutine.wrap(function() local a <close> = closer('a') error('x', 0) end)))
        print(pcall(coroutine.wrap(function() local a <close> = closer('b', 'replaced') error('x', 0) end)))",
        "a\tx\nfalse\tx\nb\tx\nfalse\treplaced\n",
    );
}

#[test]
fn a_suspended_coroutine_can_be_closed() {
    check(
        "local function closer(name, fails)
            return setmetatable({}, {__close = function(_, e) print(name, e) if fails then error(fails, 0) end end})
        end
        local co = coroutine.create(function()
            pcall(function()
                local a <close> = closer 'a'
                local b <close> = closer('b', 'from b')
                coroutine.yield()
            end)
            print 'never'
        end)
        coroutine.resume(co)
        print(coroutine.close(co))
        print(coroutine.status(co), coroutine.close(co))",
        "b\tnil\na\tfrom b\nfalse\tfrom b\ndead\ttrue\n",
    );
}

#[test]
fn variables_of_a_coroutine_outlive_it() {
    check(
        "local made = {}
        for i = 1, 40 do
            local co = coroutine.wrap(function()
                local n = i
                coroutine.yield(function() n = n + 1 return n end)
            end)
            made[i] = co()
        end
        collectgarbage() collectgarbage()
        local sum = 0
        for i = 1, 40 do sum = sum + made[i]() end
        print(sum)",
        "860\n",
    );
}

#[test]
fn natives_that_call_back_cannot_be_yielded_across() {
    check(
        "print(coroutine.wrap(function()
            return pcall(table.sort, {2, 1}, function() coroutine.yield() end)
        end)())",
        "false\tattempt to yield across a C-call boundary\n",
    );
}

#[test]
fn more_values_than_a_stack_holds_do_not_go_to_the_other_thread() {
    let script = "local many = 999960
        local co = coroutine.create(function() return table.unpack({}, 1, many) end)
        local function deeper(n)
            if n > 0 then return (deeper(n - 1)) end
            print(coroutine.resume(co))
            print(coroutine.status(co))
            print(pcall(coroutine.wrap(function() coroutine.yield(table.unpack({}, 1, many)) end)))
        end
        deeper(100)";
    let printed = common::run(script);
    assert_eq!(printed, "false\ttoo many results to resume\ndead\nfalse\ttoo many results to resume\n");
}

#[test]
fn a_closing_method_may_not_yield_where_the_coroutine_is_closed_from_outside() {
    check(
        "local co = coroutine.create(function()
            local x <close> = setmetatable({}, {__close = function() coroutine.yield() end})
            coroutine.yield()
        end)
        coroutine.resume(co)
        print(coroutine.close(co))
        print(pcall(coroutine.yield))",
        "false\tattempt to yield across a C-call boundary\nfalse\tattempt to yield from outside a coroutine\n",
    );
}
