//! Files, pipes and the standard streams, as programs use them.

mod common;

use common::{SCHEDULES, Streams, run_on_system, run_with};
use moonphase_vm::{Limit, Options, ScriptError, System};

/// Checks what a program prints that may use files, the names of which begin with `dir`. Also under each schedule.
fn check(source: &str, expected: &str) {
    for schedule in ["none"].iter().chain(SCHEDULES) {
        let mut options = Options::default();
        options.schedule = schedule.parse().expect("a schedule");
        let (streams, result) = run_on_system(options, source, "");
        assert_eq!((streams.output.as_str(), result), (expected, Ok(())), "{schedule}: {source}");
    }
}

/// What a program prints that reads an input.
fn answer(source: &str, input: &str) -> Streams {
    let (streams, result) = run_on_system(Options::default(), source, input);
    assert_eq!(result, Ok(()), "{source}");
    streams
}

#[test]
fn a_file_is_read_by_formats() {
    check(
        r#"local f = io.open(dir .. 'f', 'w')
        f:write('one\ntwo\n12 0x1Fp1 rest\n\nlast'):close()
        f = io.open(dir .. 'f')
        print(f:read(), f:read('L'))
        print(f:read('n', 'n', 'l', 1, 0, 2, 'a', 'a', 0))
        print(f:read('a', 'l', 'a'))
        f:seek('set')
        print(f:read('*l', '*L', 4, 'lines'))
        print(f:read('n'))"#,
        "one\ttwo\n\n12\t62.0\t rest\t\n\t\tla\tst\t\tnil\n\tnil\none\ttwo\n\t12 0\tx1Fp1 rest\nnil\n",
    );
}

#[test]
fn a_numeral_takes_what_it_may_begin_with_and_no_more_than_200_bytes() {
    check(
        r#"local f = io.open(dir .. 'f', 'w+')
        f:write('-0xffff+ .3|5.E-3X .e+ 0xX - ', ('1'):rep(250), '\v0')
        f:seek('set')
        print(f:read('n', 2)) print(f:read('n', 1)) print(f:read('n', 1))
        print(f:read('n'), f:read(3)) print(f:read('n'), f:read(2)) print(f:read('n'))
        print(f:read('n'), f:read('n') == tonumber(('1'):rep(50)), f:read('n', 'l'))"#,
        "-65535\t+ \n0.3\t|\n0.005\tX\nnil\te+ \nnil\tX \nnil\nnil\ttrue\t0\tnil\n",
    );
}

#[test]
fn lines_closes_the_file_that_it_opened() {
    check(
        r#"local name = dir .. 'f'
        io.open(name, 'w'):write('a\nb\nc'):close()
        local iterator, _, _, file = io.lines(name)
        print(iterator(), iterator(), iterator(), io.type(file), iterator(), io.type(file))
        print(pcall(iterator))
        local iterator, _, _, file = io.lines(name, 1, 'L')
        for x, y in iterator, nil, nil, file do io.write(x, y) break end
        print(io.type(file))
        file = io.open(name)
        for x in file:lines('a') do print(#x) break end
        for x in file:lines() do end
        print(io.type(file))
        print(select('#', file:lines()), pcall(file:lines('?')))"#,
        "a\tb\tc\tfile\tnil\tclosed file\nfalse\tfile is already closed\na\nclosed file\n5\nfile\n\
         1\tfalse\tbad argument #2 to '?' (invalid format)\n",
    );
}

#[test]
fn what_fails_gives_nil_a_message_and_a_number() {
    check(
        r#"local name = dir .. 'f'
        local function show(_, message, number) print(_, message:gsub(dir, ''), number) end
        show(io.open(name))
        show(io.open(dir .. 'none/f', 'w'))
        local f = io.open(name, 'w')
        print(f:read())
        print(f:seek('set', -1))
        print(pcall(f:lines()))
        f:close()
        f = io.open(name)
        print(f:write('x'))
        print(io.open(dir):read('a'))
        print(io.stdin:write('x'))
        print(io.stdout:read(0))
        print(io.stdout:seek())
        for _, open in ipairs{io.lines, io.input} do print((select(2, pcall(open, dir .. 'none')):gsub(dir, ''))) end"#,
        "nil\tf: No such file or directory\t2\nnil\tnone/f: No such file or directory\t2\n\
         nil\tBad file descriptor\t9\nnil\tInvalid argument\t22\nfalse\tBad file descriptor\nnil\tBad file descriptor\t9\n\
         nil\tIs a directory\t21\nnil\tBad file descriptor\t9\nnil\tBad file descriptor\t9\nnil\tIllegal seek\t29\n\
         cannot open file 'none' (No such file or directory)\ncannot open file 'none' (No such file or directory)\n",
    );
}

#[test]
fn a_closed_file_is_of_no_use() {
    check(
        r#"local f = io.tmpfile()
        print(io.type(f), f:close(), io.type(f), f)
        for _, use in ipairs{f.read, f.write, f.seek, f.lines, f.flush, f.setvbuf, f.close, io.input, io.close} do
            print(select(2, pcall(use, f)))
        end
        io.output(dir .. 'f')
        io.close()
        print((select(2, pcall(io.write))))
        print((select(2, pcall(io.flush))))
        print((select(2, pcall(io.close))))
        local g do local h <close> = io.tmpfile() g = h end
        print(g, select('#', getmetatable(g).__gc(g)), pcall(getmetatable(g).__gc, 1))"#,
        &("file\ttrue\tclosed file\tfile (closed)\n".to_owned()
            + &"attempt to use a closed file\n".repeat(9)
            + "default output file is closed\ndefault output file is closed\nattempt to use a closed file\n\
               file (closed)\t0\tfalse\tbad argument #1 to '?' (FILE* expected, got number)\n"),
    );
}

#[test]
fn reading_and_writing_share_a_position_and_buffers_show_when_they_are_flushed() {
    check(
        r#"local name = dir .. 'f'
        local f, other = io.open(name, 'w+'), io.open(name)
        local function seen() other:seek('set') return other:read('a') end
        f:write('hello world')
        print(f:seek(), #seen())
        print(f:seek('set', 6), f:read(2), seen())
        f:write('XY')
        print(f:seek('cur', -3), f:read('a'), f:seek('end'))
        print(f:setvbuf('line'), f:write('\na') == f, seen())
        print(f:setvbuf('no'), #seen(), f:write('b'):seek(), #seen())
        print(f:setvbuf('full', 2000), f:write(('x'):rep(10000)) == f, f:flush(), #seen())
        f = io.open(name, 'a+')
        print(f:seek(), f:read(3), f:write('end'):seek(), f:seek('set', 1) and f:read(2))
        print(io.open(name, 'a'):seek())"#,
        "11\t11\n6\two\thello world\n7\toXYd\t11\ntrue\ttrue\thello woXYd\n\ntrue\t13\t14\t14\n\
         true\ttrue\ttrue\t10014\n0\thel\t10017\tel\n10017\n",
    );
}

#[test]
fn a_forgotten_file_is_closed_by_the_collector() {
    check(
        "io.open(dir .. 'f', 'w'):write('kept')
        collectgarbage() collectgarbage()
        print(io.open(dir .. 'f'):read('a'))",
        "kept\n",
    );
}

#[test]
fn what_is_written_arrives_when_the_machine_goes_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = folder.path().join("f");
    let mut options = Options::default();
    options.system = System::Full;
    let source = format!("file = io.open('{}', 'w') file:write('text') os.exit(3)", name.display());
    assert_eq!(run_with(options, &source).1, Err(ScriptError::Exit(3)));
    assert_eq!(std::fs::read(name).expect("a file"), b"text");
}

#[test]
fn a_process_is_read_from_or_written_to() {
    check(
        r#"local p = io.popen('echo out; exit 3')
        print(p:read('a'), p:write('x'))
        print(p:close())
        print(io.popen('kill -9 $$'):close())
        p = io.popen('cat > ' .. dir .. 'f', 'w')
        p:write('into')
        print(p:close())
        print(io.open(dir .. 'f'):read())
        local waiting = io.open(dir .. 'f', 'w')
        waiting:write('unflushed')
        print(io.popen('cat ' .. dir .. 'f'):read())
        print(pcall(io.popen, 'ls', 'rw'))"#,
        "out\n\tnil\tBad file descriptor\t9\nnil\texit\t3\nnil\tsignal\t9\ntrue\texit\t0\ninto\nunflushed\n\
         false\tbad argument #2 to 'io.popen' (invalid mode)\n",
    );
}

#[test]
fn the_shell_has_the_name_that_c_gives_it() {
    check(
        "print(io.popen('echo $0'):read()) os.execute('echo $0 > ' .. dir .. 'f') print(io.open(dir .. 'f'):read())",
        "sh\nsh\n",
    );
}

#[test]
fn the_standard_streams_are_the_hosts() {
    let streams = answer(
        "print(io.read('n', 'l', 'L')) for l in io.lines() do print('<' .. l .. '>') end print(io.read(0), io.read('a'))
        io.stderr:write('to ', 'error') warn('@on') warn('careful')
        print(io.close(io.stdin)) print(io.stderr:close()) print(io.type(io.stdin), io.stdin == io.input())",
        "12 rest\nline\nmore\nend",
    );
    assert_eq!(
        streams.output,
        "12\t rest\tline\n\n<more>\n<end>\nnil\t\nnil\tcannot close standard file\nnil\tcannot close standard file\n\
         file\ttrue\n"
    );
    assert_eq!(streams.error, "to errorLua warning: careful\n");
}

#[test]
fn output_is_flushed_before_waiting_for_input_and_as_the_program_asks() {
    let flushes = |source| answer(source, "a\nb\n").flushes;
    assert_eq!(flushes("io.write('no newline', 'and a newline\\n')"), 0);
    assert_eq!(flushes("print('line') print('line')"), 2);
    assert_eq!(flushes("io.write('question') io.read() io.write('again') io.read()"), 1);
    assert_eq!(flushes("io.flush() io.stdout:flush()"), 2);
    assert_eq!(flushes("io.stdout:setvbuf('line') io.write('a') io.write('b\\n') io.write('c')"), 1);
    assert_eq!(flushes("io.stdout:setvbuf('no') io.write('a', 'b')"), 3);
}

#[test]
fn reading_counts_against_the_limits() {
    for format in ["a", "l"] {
        let source = format!("pcall(function() io.open('/dev/zero'):read('{format}') end)");
        let mut options = Options::default();
        options.memory_limit = 16 << 20;
        assert_eq!(run_on_system(options, &source, "").1, Err(ScriptError::Limit(Limit::Memory)));
        let mut options = Options::default();
        options.instruction_limit = Some(100_000);
        assert_eq!(run_on_system(options, &source, "").1, Err(ScriptError::Limit(Limit::Instructions)));
    }
}

#[test]
fn wrong_arguments_are_named() {
    check(
        r#"local f = io.tmpfile()
        for _, wrong in ipairs{
            function() io.read('x') end, function() f:read({}) end, function() f:read(1.5) end, function() f:read(-1) end,
            function() f:write({}) end, function() f:seek('far') end, function() f:setvbuf() end, function() f.read() end,
            function() io.open('f', 'rw') end, function() f:lines(table.unpack({}, 1, 251)) end, function() io.lines({}) end,
        } do print(select(2, pcall(wrong))) end"#,
        "t:3: bad argument #1 to 'read' (invalid format)
t:3: bad argument #1 to 'read' (string expected, got table)
t:3: bad argument #1 to 'read' (number has no integer representation)
not enough memory
t:4: bad argument #1 to 'write' (string expected, got table)
t:4: bad argument #1 to 'seek' (invalid option 'far')
t:4: bad argument #1 to 'setvbuf' (string expected, got no value)
t:4: bad argument #1 to 'read' (FILE* expected, got no value)
t:5: bad argument #2 to 'open' (invalid mode)
t:5: bad argument #251 to 'lines' (too many arguments)
t:5: bad argument #1 to 'lines' (string expected, got table)
",
    );
}

#[test]
fn a_chunk_that_a_coroutine_runs_from_a_file_may_yield() {
    check(
        "io.open(dir .. 'f', 'w'):write('local x = coroutine.yield(...) return x, coroutine.yield(2)'):close()
        local run = coroutine.wrap(dofile)
        print(run(dir .. 'f'), run('a'), run('b'))
        print((select(2, pcall(coroutine.wrap(dofile), dir .. 'none')):gsub(dir, '')))",
        "nil\t2\ta\tb\ncannot open none: No such file or directory\n",
    );
}

#[test]
fn a_program_without_the_system_reaches_nothing_of_it() {
    let source = r#"
        print(io.open('/')) print(io.popen('true')) print(io.tmpfile()) print(pcall(io.lines, '/')) print(pcall(io.output, 'x'))
        print(os.execute()) print(os.execute('true')) print(os.remove('x')) print(os.rename('x', 'y')) print(pcall(os.tmpname))
        print(os.getenv('PATH')) print(os.time(), os.date('%c %Z')) print(io.read('a', 'l'))"#;
    let (printed, result) = run_with(Options::default(), source);
    assert_eq!(result, Ok(()));
    assert_eq!(
        printed,
        "nil\t/: Operation not permitted\t1
nil\ttrue: Operation not permitted\t1
nil\tOperation not permitted\t1
false\tcannot open file '/' (Operation not permitted)
false\tcannot open file 'x' (Operation not permitted)
false
nil\tOperation not permitted\t1
nil\tx: Operation not permitted\t1
nil\tOperation not permitted\t1
false\tunable to generate a unique filename
nil
0\tThu Jan  1 00:00:00 1970 UTC
\tnil
"
    );
}
