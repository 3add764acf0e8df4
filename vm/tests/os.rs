//! The operating system as programs see it.

mod common;

use common::{check, run_on_system, run_with};
use moonphase_vm::{Limit, Options, ScriptError};

/// What a program prints that may use the system, and how it ends. The names of its files begin with `dir`.
fn run(source: &str) -> (String, Result<(), ScriptError>) {
    let (streams, result) = run_on_system(Options::default(), source, "");
    (streams.output, result)
}

#[test]
fn an_exit_ends_the_program_and_no_protected_call_catches_it() {
    for (arguments, status) in [("nil", 0), ("true", 0), ("false", 1), ("3", 3), ("-1", -1), ("'7'", 7)] {
        let source = format!(
            "local closed <close> = setmetatable({{}}, {{__close = function() print('closed') end}})
            coroutine.wrap(function() pcall(os.exit, {arguments}) end)()
            print('not here')"
        );
        let (printed, result) = run_with(Options::default(), &source);
        assert_eq!((printed.as_str(), result), ("", Err(ScriptError::Exit(status))));
    }
    check("print(pcall(os.exit, {}))", "false\tbad argument #1 to 'os.exit' (number expected, got table)\n");
}

#[test]
fn an_exit_closes_the_state_where_it_is_asked_to() {
    let source = "local function closing(name, fails)
            return setmetatable({}, {__close = function(_, e) print(name, e) if fails then error(fails, 0) end end})
        end
        last = setmetatable({}, {__gc = function() print('finalizer') end})
        local first <close> = closing('first')
        local second <close> = closing('second', 'failed')
        coroutine.wrap(function()
            local other <close> = closing('of a coroutine')
            pcall(os.exit, 5, true)
        end)()";
    let (printed, result) = run_with(Options::default(), source);
    assert_eq!(result, Err(ScriptError::Exit(5)));
    assert_eq!(printed, "second\tnil\nfirst\tfailed\nfinalizer\n");
}

#[test]
fn a_finalizer_may_exit() {
    let source = "setmetatable({}, {__gc = function() os.exit(11, true) end}) collectgarbage() print('not here')";
    assert_eq!(run_with(Options::default(), source), (String::new(), Err(ScriptError::Exit(11))));
}

#[test]
fn files_are_removed_and_renamed() {
    let (printed, result) = run("local function show(_, message, ...) print(_, (message or ''):gsub(dir, ''), ...) end
        io.open(dir .. 'a', 'w'):close()
        show(os.rename(dir .. 'a', dir .. 'b'))
        show(os.rename(dir .. 'a', dir .. 'b'))
        show(os.remove(dir .. 'a'))
        show(os.remove(dir .. 'b'))
        os.execute('mkdir ' .. dir .. 'd')
        show(os.remove(dir .. 'd'))
        local name = os.tmpname()
        print(io.open(name):read('a'), os.remove(name))");
    assert_eq!(result, Ok(()));
    assert_eq!(
        printed,
        "true\t\nnil\tNo such file or directory\t2\nnil\ta: No such file or directory\t2\ntrue\t\ntrue\t\n\ttrue\n"
    );
}

#[test]
fn a_command_tells_how_it_ended() {
    let (printed, result) = run("print(os.execute()) print(os.execute('true')) print(os.execute('exit 5'))
        print(os.execute('kill -15 $$')) print(type(os.getenv('PATH')), os.getenv('NO SUCH VARIABLE'))");
    assert_eq!(result, Ok(()));
    assert_eq!(printed, "true\ntrue\texit\t0\nnil\texit\t5\nnil\tsignal\t15\nstring\tnil\n");
}

#[test]
fn a_time_and_its_date_are_inverse_in_any_zone() {
    let (printed, result) = run("for _, time in ipairs{0, 1, -86400, 1000000000, 1720000000, 253402300800, 1 << 40} do
            assert(os.time(os.date('*t', time)) == time, time)
        end
        assert(os.time() > 1700000000 and os.clock() >= 0 and os.clock() < 1000)");
    assert_eq!((printed.as_str(), result), ("", Ok(())));
}

#[test]
fn a_date_table_is_normalized_and_checked() {
    check(
        "local t = {year = 2024, month = 14, day = -3, hour = 25, min = 61, sec = -1}
        print(os.time(t), t.year, t.month, t.day, t.hour, t.min, t.sec, t.wday, t.yday, t.isdst)
        print(os.time{year = '2024', month = 2.0, day = 1})
        for _, wrong in ipairs{{}, {year = 1, month = 1}, {year = 'x'}, {year = 1.5}, {year = 1 << 40}, {year = -1 << 40}} do
            print(select(2, pcall(os.time, wrong)))
        end
        print(pcall(os.time, {year = 1969, month = 12, day = 31, hour = 23, min = 59, sec = 59}))
        print(os.difftime(3, 5), os.difftime(math.maxinteger, math.mininteger))",
        "1738116059\t2025\t1\t29\t2\t0\t59\t4\t29\tfalse\n1706788800\nfield 'year' missing in date table\n\
         field 'day' missing in date table\nfield 'year' is not an integer\nfield 'year' is not an integer\n\
         field 'year' is out-of-bound\nfield 'year' is out-of-bound\n\
         false\ttime result cannot be represented in this installation\n-2.0\t1.844674407371e+19\n",
    );
}

#[test]
fn the_text_of_a_date_counts_against_the_memory_limit() {
    let mut options = Options::default();
    options.memory_limit = 2 << 20;
    let result = run_with(options, "pcall(os.date, ('%c'):rep(1 << 17))").1;
    assert_eq!(result, Err(ScriptError::Limit(Limit::Memory)));
}

#[test]
fn wrong_conversion_specifiers_are_shown() {
    check(
        "for _, format in ipairs{'%', '%E', '%Ez', '%Q', 'x%Ey%O'} do print(select(2, pcall(os.date, format))) end
        print(os.date('!%Y-%m-%d %H:%M:%S %Z', 86399), os.date('%%%t%Ex', 0))
        print(select(2, pcall(os.date, '%c', 1 << 60)))
        print(os.setlocale(), os.setlocale('', 'all'), os.setlocale('xx'))",
        "bad argument #1 to 'os.date' (invalid conversion specifier '%')\nbad argument #1 to 'os.date' (invalid conversion specifier '%E')\n\
         bad argument #1 to 'os.date' (invalid conversion specifier '%Ez')\n\
         bad argument #1 to 'os.date' (invalid conversion specifier '%Q')\n\
         bad argument #1 to 'os.date' (invalid conversion specifier '%O')\n1970-01-01 23:59:59 GMT\t%\t01/01/70\n\
         date result cannot be represented in this installation\nC\tC\tnil\n",
    );
}
