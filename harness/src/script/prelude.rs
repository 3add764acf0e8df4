//! The helper functions that rendered scripts begin with. Only those that a script uses are written.

use crate::language::{Feature, Language};

/// A helper. The order is that of their definitions: later ones use earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Helper {
    /// How many finalizers ran.
    Finalized,
    /// What finalizers made reachable again.
    Saved,
    /// Functions that give the state which finalizers change.
    Kept,
    /// What is reachable until the end of the state.
    Ends,
    /// A proxy of a table, which has a finalizer.
    Proxy,
    /// Calls the collector inside of a finalizer.
    Collect,
    /// Steps as an expression.
    Steps,
    /// Steps up to the end of marking.
    FinishMarking,
    /// A function that calls itself: its frames and variable arguments fill the stack.
    Deep,
    /// A reader for `load` that gives one line at a time, with steps before each.
    Pieces,
    /// A reader for `load` that gives some bytes at a time. It works a few times, and may stop in the midst.
    Reader,
    /// A list of more constants than operands of instructions can name, as text.
    Wide,
    /// A function from the dump of another one.
    Copy,
    /// Removes the entries of a table while they are traversed, and may put them back.
    Empty,
    /// Gives a table entries and takes them away again.
    Grow,
    /// Makes short strings, each of which dies later.
    Intern,
    /// Stores values of every kind at every site.
    Mix,
    /// Counts the entries of a weak table after full collections.
    Survivors,
    /// Takes a value that is a Lua function with upvalues, or else another function.
    Pick,
    /// The deep content of a value as a string, without anything that may differ between correct Luas.
    Show,
    /// Prints values by their content.
    Report,
    /// The contents of a list, in an order that does not depend on that of the list.
    Sorted,
}

impl Helper {
    /// The helpers that this one needs.
    pub(super) fn needs(self, language: &Language) -> &'static [Helper] {
        match self {
            Helper::Report | Helper::Sorted => &[Helper::Show],
            Helper::Mix if !language.has(Feature::TableFinalizers) => &[Helper::Steps, Helper::Proxy],
            Helper::Mix | Helper::Empty | Helper::Grow | Helper::Intern => &[Helper::Steps],
            _ => &[],
        }
    }

    /// The definition in a language.
    pub(super) fn text(self, language: &Language) -> &'static str {
        match self {
            Helper::Finalized => "local finalized = 0\n",
            Helper::Saved => "local saved = {}\n",
            Helper::Kept => "local kept = {}\n",
            // A global, which no local of the main chunk outlives.
            Helper::Ends => "ends = {}\n",
            Helper::Proxy => PROXY,
            Helper::Collect => COLLECT,
            Helper::Steps => STEPS,
            Helper::FinishMarking => FINISH_MARKING,
            Helper::Deep => DEEP,
            Helper::Pieces => PIECES,
            Helper::Reader if !language.has(Feature::Integers) => READER_OF_FLOATS,
            Helper::Reader => READER,
            Helper::Wide => WIDE,
            Helper::Copy if !language.has(Feature::Load) => COPY_WITHOUT_ENVIRONMENT,
            Helper::Copy => COPY,
            Helper::Empty => EMPTY,
            Helper::Grow => GROW,
            Helper::Intern => INTERN,
            Helper::Mix if language.has(Feature::TableFinalizers) => MIX,
            Helper::Mix if language.has(Feature::UpvalueJoin) => MIX_OF_PROXIES_AND_JOINS,
            Helper::Mix => MIX_OF_PROXIES,
            Helper::Survivors => SURVIVORS,
            Helper::Pick => PICK,
            Helper::Show if !language.has(Feature::TableFinalizers) => SHOW_OF_PROXIES,
            Helper::Show => SHOW,
            Helper::Report if !language.has(Feature::TablePack) => REPORT_BY_SELECT,
            Helper::Report => REPORT,
            Helper::Sorted => SORTED,
        }
    }
}

// The finalizer gets the proxy, which reads and writes the table.
const PROXY: &str = r#"local function proxy(held, gc)
  local object = newproxy(true)
  local meta = getmetatable(object)
  meta.__index, meta.__newindex, meta.__gc = held, held, gc
  return object
end
"#;

// The collector calls other finalizers then, which do not call it again: each level would take room on the stack of C.
const COLLECT: &str = r#"local collecting = false
local function collect(option)
  if not collecting then
    collecting = true
    collectgarbage(option)
    collecting = false
  end
end
"#;

const STEPS: &str = r#"local function steps(count)
  for _ = 1, count do
    collectgarbage("step", 0)
  end
  return count
end
"#;

// The atomic phase, at the end of marking, removes the entry.
const FINISH_MARKING: &str = r#"local function finish_marking()
  local weak = setmetatable({ {} }, { __mode = "v" })
  for _ = 1, 500 do
    if not next(weak) then
      break
    end
    collectgarbage("step", 0)
  end
end
"#;

const DEEP: &str = r##"local function deep(depth, steps, ...)
  local kept = { depth }
  if depth > 0 then
    return deep(depth - 1, steps, kept, ...) + kept[1]
  end
  for _ = 1, steps do
    collectgarbage("step", 0)
  end
  return select("#", ...)
end
"##;

const PIECES: &str = r#"local function pieces(text, steps)
  local lines = text:gmatch("[^\n]+\n?")
  return function()
    for _ = 1, steps do
      collectgarbage("step", 0)
    end
    return lines()
  end
end
"#;

/// A piece is not longer than half of the text, so that a reader which is to stop in the midst does.
macro_rules! reader {
    ($half:literal, $sixth:literal) => {
        concat!(
            "local function reader(text, size, work, stop)\n  local at, due, half = 1, 1, ",
            $half,
            r#"
  size = math.min(size, half)
  return function()
    if work and at >= due then
      due = due + "#,
            $sixth,
            r#" + 1
      work()
    end
    if stop and at > half then
      return stop()
    end
    at = at + size
    return text:sub(at - size, at - 1)
  end
end
"#
        )
    };
}

const READER: &str = reader!("#text // 2", "#text // 6");

const READER_OF_FLOATS: &str = reader!("math.floor(#text / 2)", "math.floor(#text / 6)");

const WIDE: &str = r#"local function wide()
  local items = {}
  for i = 1, 300 do
    items[i] = ("'c%d%s'"):format(i, i % 100 == 0 and ("long"):rep(12) or "")
  end
  return table.concat(items, ", ")
end
"#;

// The globals stay the globals.
const COPY: &str = r#"local function copy(f, strip, value)
  local made = load(string.dump(f, strip), "=copy", "b", value)
  for i = 1, 255 do
    local name, content = debug.getupvalue(f, i)
    if not name then
      break
    elseif content == _G then
      debug.setupvalue(made, i, content)
    end
  end
  return made
end
"#;

// Globals are no upvalues.
const COPY_WITHOUT_ENVIRONMENT: &str = r#"local function copy(f, _, value)
  local made = loadstring(string.dump(f), "=copy")
  debug.setupvalue(made, 1, value)
  return made
end
"#;

const EMPTY: &str = r#"local function empty(t, count, again)
  local entries = {}
  for key, value in next, t do
    t[key] = nil
    if again then
      entries[#entries + 1] = { key, value }
    end
    steps(count)
  end
  for _, entry in ipairs(entries) do
    t[entry[1]] = entry[2]
  end
end
"#;

// The last entry is taken away first: the list of the table has no holes. One entry stays as long as its key does.
const GROW: &str = r#"local function grow(t, count, turns, key)
  local last, keys = #t, {}
  t[{}] = true
  for i = 1, count do
    keys[i] = key(last, i)
    t[keys[i]] = {}
    steps(turns)
  end
  for i = count, 1, -1 do
    t[keys[i]] = nil
    steps(turns)
  end
end
"#;

const INTERN: &str = r#"local function intern(count, turns)
  local list = {}
  for i = 1, 2 * count do
    list[i] = "intern" .. i
    list[i - count] = nil
    if i % 16 == 0 then
      steps(turns)
    end
  end
  return list[2 * count]
end
"#;

/// The stores of one round of `mix`, up to where the languages differ.
macro_rules! mix_stores {
    () => {
        r#"    for _ = 1, staged and 400 or 0 do
      if not sign[1] then
        break
      end
      collectgarbage("step", 1)
    end
    for j = 1, staged and 40 or #values do
      if staged then
        collectgarbage("step", 0)
      end
      local late = next(waiting)
      local value = staged and j % 3 > 0 and next(waiting, late) or values[(i + j) % #values + 1]
      local function hold() return late end
      if late and (staged or j % 3 == 0) then
        waiting[late] = nil
        store(late, j % 2 == 0 and next(waiting) or value, next(waiting), j)
      end
      set(value)
      kept(value)
      now(value)
"#
    };
}

// Weak tables with items stay gray after the atomic phase, what has a finalizer is swept late, and keys of `waiting` are
// come across before their finalizers: some only as values, since a store makes a black table gray (that of a new key,
// which may be white, too), and some at once where they are needed, since this phase is short. A closure that is stored
// into a black upvalue is gray when it is joined. No table changes its weakness. Turns of the collector are a schedule's,
// aside from a few; only a staged round makes them itself: many until `sign` is cleared, which the atomic phase does, then
// one before each group of stores, so that some meet the phases that a schedule seldom rests in.
const MIX: &str = concat!(
    r#"local function mix(rounds, start)
  local running = collectgarbage("isrunning")
  collectgarbage("stop")
  local function quiet() end
  local function cell(value)
    return function(new) value = new end
  end
  local function metas(mode)
    return { { __mode = mode }, setmetatable({ 1, __mode = mode }, { __mode = "v" }),
      setmetatable({ __mode = mode }, { __gc = quiet }), setmetatable({ 1, __mode = mode }, { __gc = quiet, __mode = "v" }) }
  end
  local strong, weak = metas(nil), metas("v")
  local old, shared = {}
  local olds = { old, setmetatable({ 1 }, { __mode = "v" }), setmetatable({}, { __gc = quiet }),
    setmetatable({ 1 }, { __gc = quiet, __mode = "v" }) }
  local waiting = setmetatable({}, { __mode = "k" })
  local sets = { cell(), cell(old), function(new) shared = new end }
  local function store(host, value, meta, i)
    local mode = (getmetatable(host) or old).__mode
    host[1] = value
    host[value] = true
    host[value] = nil
    if type(meta) ~= "table" or rawget(meta, "__mode") ~= mode then
      meta = (mode and weak or strong)[i % 5 + 1] or { __mode = mode }
    end
    setmetatable(host, meta)
    host.a = value
  end
  for i = start, start + rounds - 1 do
    local staged = i % 16 == 5
    for j = 1, staged and 48 or i % 3 * 5 do
      local item = { 1, __mode = (i + j // 2) % 4 == 0 and "v" or nil }
      waiting[setmetatable(item, { __gc = quiet, __mode = j % (staged and 2 or 3) == 0 and "v" or nil })] = true
    end
    local first = next(waiting)
    local second = next(waiting, first)
    local third = next(waiting, second)
    local tables = { first or old, second or old, {}, table.unpack(olds) }
    local values = { coroutine.create(quiet), third or old, "mix" .. i, next(waiting, third) or old, table.unpack(tables) }
    waiting[tables[1]], waiting[tables[2]] = nil, nil
    for j, host in ipairs(tables) do
      store(host, values[(i + j) % #values + 1], values[(i // 2 + j) % #values + 1], i + j)
    end
    local value, other = values[i % #values + 1], values[i // 3 % #values + 1]
    local list = { value, a = {}, other, i % 4 == 0 and steps(i % 5), b = i % 8 == 0 and {} or nil, {} }
    local inner, late, set, kept = value, list, cell(), sets[i // 2 % #sets + 1]
    local function now(new) inner = new end
    local function open() return late end
    local sign = setmetatable({ {} }, weak[1])
    local function join(number)
      kept(now)
      debug.upvaluejoin(now, 1, ({ set, open, kept, sets[4] or set })[number % 4 + 1], 1)
    end
    join(i)
"#,
    mix_stores!(),
    r#"      if j % 4 == 0 then
        join(i + j // 4)
      end
      debug.setupvalue(set, 1, value)
      debug.setupvalue(open, 1, value)
      coroutine.wrap(load("", "=mix", "t", j % 2 == 0 and late or value))
    end
    coroutine.wrap(function()
      local kept = value
      sets[4] = function(new) kept = new end
      coroutine.yield()
    end)()
    local text = ("local a%d = {} return function() local b%d return function() return a%d, b%d end end"):gsub("%%d", i)
      .. (", function() end"):rep(i % 4 * 3)
    load(text, i % 2 == 0 and text or "=mix" .. i, "t", other)()()()
  end
  if running then
    collectgarbage("restart")
  end
end
"#
);

/// The same where proxies have finalizers: those in `waiting`, whose environments, metatables and tables are stored into. What a
/// function is joined to is asked of `$join`, which is called with a number.
macro_rules! mix_of_proxies {
    ($join:literal, $first_join:literal, $later_join:literal) => {
        concat!(
            r#"local function mix(rounds, start)
  collectgarbage("stop")
  local function quiet() end
  local function cell(value)
    return function(new) value = new end
  end
  local function metas(mode)
    return { { __mode = mode }, setmetatable({ 1, __mode = mode }, { __mode = "v" }) }
  end
  local strong, weak = metas(nil), metas("v")
  local old, shared = {}
  local olds = { old, setmetatable({ 1 }, { __mode = "v" }), proxy({}, quiet) }
  local waiting = setmetatable({}, { __mode = "k" })
  local sets = { cell(), cell(old), function(new) shared = new end }
  local function store(host, value, meta, i)
    host[1] = value
    host[value] = true
    host[value] = nil
    host.a = value
    if type(host) == "userdata" then
      debug.setfenv(host, { value })
      getmetatable(host).a = value
      return
    end
    local mode = (getmetatable(host) or old).__mode
    if type(meta) ~= "table" or rawget(meta, "__mode") ~= mode then
      meta = (mode and weak or strong)[i % 3 + 1] or { __mode = mode }
    end
    setmetatable(host, meta)
  end
  for i = start, start + rounds - 1 do
    local staged = i % 16 == 5
    for j = 1, staged and 48 or i % 3 * 5 do
      waiting[proxy({ 1 }, quiet)] = true
    end
    local first = next(waiting)
    local second = next(waiting, first)
    local third = next(waiting, second)
    local tables = { first or old, second or old, {}, unpack(olds) }
    local values = { coroutine.create(quiet), third or old, "mix" .. i, next(waiting, third) or old, unpack(tables) }
    waiting[tables[1]], waiting[tables[2]] = nil, nil
    for j, host in ipairs(tables) do
      store(host, values[(i + j) % #values + 1], values[(math.floor(i / 2) + j) % #values + 1], i + j)
    end
    local value, other = values[i % #values + 1], values[math.floor(i / 3) % #values + 1]
    local list = { value, a = {}, other, i % 4 == 0 and steps(i % 5), b = i % 8 == 0 and {} or nil, {} }
    local inner, late, set, kept = value, list, cell(), sets[math.floor(i / 2) % #sets + 1]
    local function now(new) inner = new end
    local function open() return late end
    local sign = setmetatable({ {} }, weak[1])
"#,
            $join,
            $first_join,
            mix_stores!(),
            $later_join,
            r#"      debug.setupvalue(set, 1, value)
      debug.setupvalue(open, 1, value)
      local thread = coroutine.create(loadstring("", "=mix"))
      debug.setfenv(thread, type(value) == "table" and value or { value })
      setfenv(hold, { thread })
    end
    coroutine.wrap(function()
      local kept = value
      sets[4] = function(new) kept = new end
      coroutine.yield()
    end)()
    local text = ("local a%d = {} return function() local b%d return function() return a%d, b%d end end"):gsub("%%d", i)
      .. (", function() end"):rep(i % 4 * 3)
    loadstring(text, i % 2 == 0 and text or "=mix" .. i)()()()
  end
  collectgarbage("restart")
end
"#
        )
    };
}

const MIX_OF_PROXIES: &str = mix_of_proxies!("", "", "");

const MIX_OF_PROXIES_AND_JOINS: &str = mix_of_proxies!(
    "    local function join(number)
      kept(now)
      debug.upvaluejoin(now, 1, ({ set, open, kept, sets[4] or set })[number % 4 + 1], 1)
    end
",
    "    join(i)\n",
    "      if j % 4 == 0 then
        join(i + j / 4)
      end
"
);

// An object with a finalizer leaves a table with weak keys only in the collection after the finalizer.
const SURVIVORS: &str = r#"local function survivors(weak)
  collectgarbage()
  collectgarbage()
  local count = 0
  for _ in next, weak do
    count = count + 1
  end
  return count
end
"#;

const PICK: &str = r#"local function pick(value, otherwise)
  if type(value) == "function" and debug.getupvalue(value, 1) then
    return value
  end
  return otherwise
end
"#;

macro_rules! show {
    ($length:literal, $userdata:literal) => {
        concat!(
            r#"local function show(value, depth)
  local parts = {}
  if type(value) == "table" then
    local meta = getmetatable(value)
    if meta and rawget(meta, "__mode") then
      return "weak table"
    elseif depth == 0 then
      return "table"
    end
    for i = 1, "#,
            $length,
            r#" do
      parts[i] = show(rawget(value, i), depth - 1)
    end
    local keys = {}
    for key in next, value do
      if type(key) == "string" then
        keys[#keys + 1] = key
      end
    end
    table.sort(keys)
    for _, key in ipairs(keys) do
      parts[#parts + 1] = key .. "=" .. show(rawget(value, key), depth - 1)
    end
    return "{" .. table.concat(parts, ", ") .. "}"
  elseif type(value) == "function" then
    for i = 1, depth > 0 and 255 or 0 do
      local name, content = debug.getupvalue(value, i)
      if not name or name == "" then
        break
      elseif content ~= _G then
        parts[#parts + 1] = name:match("%w+") .. "=" .. show(content, depth - 1)
      end
    end
    return "function(" .. table.concat(parts, ", ") .. ")"
  elseif type(value) == "thread" then
    return "thread " .. coroutine.status(value)
  elseif type(value) == "userdata" then
"#,
            $userdata,
            r#"  end
  return tostring(value)
end
"#
        )
    };
}

const SHOW: &str = show!("rawlen(value)", "    return \"userdata\"\n");

// What a proxy holds shows what was lost of it.
const SHOW_OF_PROXIES: &str = show!(
    "#value",
    "    local meta = getmetatable(value)
    return \"proxy \" .. show(meta and rawget(meta, \"__index\"), depth)
"
);

const REPORT: &str = r#"local function report(...)
  local values = table.pack(...)
  for i = 1, values.n do
    values[i] = show(values[i], 3)
  end
  print(table.concat(values, " "))
end
"#;

const REPORT_BY_SELECT: &str = r##"local function report(...)
  local values, count = { ... }, select("#", ...)
  for i = 1, count do
    values[i] = show(values[i], 3)
  end
  print(table.concat(values, " "))
end
"##;

const SORTED: &str = r#"local function sorted(list)
  local texts = {}
  for i, value in ipairs(list) do
    texts[i] = show(value, 3)
  end
  table.sort(texts)
  return table.concat(texts, " ")
end
"#;
