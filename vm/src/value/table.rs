//! Tables: an array part for the keys 1 … n and a hash part for all others.
//!
//! The hash part is a chained scatter table with Brent's variation: a colliding key takes a free node, and a node that is
//! not in its own main position moves away for one that is. The sizes of both parts are chosen anew when the hash part is
//! full, so that the array part is the largest power of two of which more than half is used (as in Lua since 5.0).
//!
//! Nothing in a hash depends on an address: strings hash by their bytes, other objects by their number. So the order of
//! `next` is the same in every run.

use crate::gc::{AnyGc, Field, Gc, Header, Node, Pool, PooledSlice, read_value, write_value};
use crate::value::{FloatRounding, Metamethod, Str, Value, float_to_integer, hash_bytes};
use std::cell::Cell;

/// A table object.
#[repr(C)]
pub struct Table {
    pub(crate) header: Header,
    pub(crate) metatable: Field<Option<Gc<Table>>>,
    array: PooledSlice<Value>,
    /// Where the border was last, a hint for the next search: as the `alimit` of C Lua since 5.4, so that of several borders
    /// the same is found. It is more than half of the array part, whose length it is where that is no power of two.
    limit: Cell<u32>,
    nodes: PooledSlice<Node>,
    /// All nodes at and above this one are in use.
    last_free: u32,
}

const _: () = assert!(size_of::<Table>() == 56);

/// Where in a table a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Index in the array part, from 0.
    Array(usize),
    /// Index of the node.
    Hash(usize),
}

/// A key that a table cannot have (manual §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TableKeyError {
    #[error("index is nil")]
    Nil,
    #[error("index is NaN")]
    Nan,
}

/// `next` was given a key that the table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownKey;

const MAX_ARRAY_BITS: usize = 31;
const MAX_ARRAY_KEY: i64 = 1 << MAX_ARRAY_BITS;

#[inline(always)]
fn mix(bits: u64) -> usize {
    (bits.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize
}

fn hash_of(key: Value) -> usize {
    match key {
        Value::Nil => 0,
        Value::Boolean(b) => b as usize,
        Value::Integer(i) => mix(i as u64),
        Value::Float(f) => mix(f.to_bits()),
        Value::Builtin(b) => hash_bytes(b.name.as_bytes()) as usize,
        Value::LightUserdata(u) => mix(u as u64),
        Value::String(s) => s.hash() as usize,
        other => mix(other.object().map_or(0, |object| object.id()) as u64),
    }
}

/// A float key with an integer value is that integer (manual §2.1).
#[inline]
fn normalize(key: Value) -> Value {
    match key {
        Value::Float(f) => match float_to_integer(f, FloatRounding::Exact) {
            Some(i) => Value::Integer(i),
            None => key,
        },
        _ => key,
    }
}

impl Table {
    pub(crate) fn new(header: Header) -> Table {
        Table {
            header,
            metatable: Field::empty(),
            array: PooledSlice::EMPTY,
            nodes: PooledSlice::EMPTY,
            last_free: 0,
            limit: Cell::new(0),
        }
    }

    /// Bit n says that the metatable in this table lacks the metamethod number n; a cache that a write clears.
    #[inline(always)]
    pub(crate) fn absent(&self) -> &Cell<u8> {
        &self.header.extra
    }

    /// Bytes of the object with its two parts.
    pub(crate) fn size(&self) -> usize {
        size_of::<Table>() + Table::size_of_parts(self.array.len(), self.nodes.len())
    }

    /// Bytes of parts with room for so many list items and nodes.
    pub(crate) fn size_of_parts(array: usize, nodes: usize) -> usize {
        array.saturating_mul(size_of::<Value>()).saturating_add(nodes.saturating_mul(size_of::<Node>()))
    }

    /// Whether it is known that the table has no such metamethod.
    #[inline(always)]
    pub(crate) fn lacks(&self, metamethod: Metamethod) -> bool {
        match (self.metatable.get(), metamethod.cache_bit()) {
            (Some(metatable), Some(bit)) => metatable.absent().get() & bit != 0,
            (Some(_), None) => false,
            (None, _) => true,
        }
    }

    /// The values of the array part; the key of the first is 1.
    #[inline(always)]
    pub(crate) fn array(&self) -> &[Value] {
        &self.array
    }

    #[inline(always)]
    pub(crate) fn array_mut(&mut self) -> &mut [Value] {
        &mut self.array
    }

    /// Nodes of the hash part, used or not.
    pub(crate) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Key and value of a node, if it has a value: then the key is not dead.
    #[inline(always)]
    pub(crate) fn entry(&self, index: usize) -> Option<(Value, Value)> {
        let node = &self.nodes[index];
        let value = node.value();
        (!value.is_nil()).then(|| (node.key(), value))
    }

    pub(crate) fn set_node_value(&mut self, index: usize, value: Value) {
        self.nodes[index].set_value(&value);
    }

    /// The object that is the key of an entry without a value, if it was not buried.
    #[inline(always)]
    pub(crate) fn unburied_key(&self, index: usize) -> Option<AnyGc> {
        let node = &self.nodes[index];
        if node.dead || !node.value().is_nil() { None } else { node.key().object() }
    }

    /// Forgets the reference to the key of an entry without a value, keeping its place in the order of `next`.
    pub(crate) fn bury_key(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let key = node.key();
        if let (false, Some(object)) = (node.dead, key.object()) {
            let remains = (hash_of(key) & 0xFFFF_FFFF) << 32 | object.id() as usize;
            *node = Node::new(Value::LightUserdata(remains), node.value(), node.next);
            node.dead = true;
        }
    }

    /// Forgets what is left of a key that was buried: a planted fault.
    pub(crate) fn lose_dead_key(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if node.dead {
            *node = Node::new(Value::LightUserdata(0), node.value(), node.next);
            node.dead = true;
        }
    }

    /// The value of a key, nil where the table doesn't have it.
    #[inline]
    pub fn get(&self, key: Value) -> Value {
        match key {
            Value::Integer(i) => self.get_integer(i),
            Value::String(s) if s.is_short() => self.get_short(s),
            _ => self.find(key).map_or(Value::Nil, |slot| self.value_at(slot)),
        }
    }

    /// The value of an integer key.
    #[inline(always)]
    pub fn get_integer(&self, key: i64) -> Value {
        match self.item_index(key) {
            Some(index) => read_value(&self.array[index]),
            None => self.get_integer_hashed(key),
        }
    }

    #[inline(always)]
    fn get_integer_hashed(&self, key: i64) -> Value {
        self.find_integer_hashed(key).map_or(Value::Nil, |node| self.nodes[node].value())
    }

    fn find_integer_hashed(&self, key: i64) -> Option<usize> {
        self.chain(mix(key as u64), |node| matches!(node.key(), Value::Integer(i) if i == key))
    }

    /// The value of a short string.
    #[inline(always)]
    pub(crate) fn get_short(&self, key: Gc<Str>) -> Value {
        self.find_short(key).map_or(Value::Nil, |node| self.nodes[node].value())
    }

    /// The node of a short string.
    #[inline(always)]
    pub(crate) fn find_short(&self, key: Gc<Str>) -> Option<usize> {
        self.chain(key.hash.get() as usize, |node| matches!(node.key(), Value::String(s) if s == key))
    }

    /// Where the value of an integer key stands that the array part has.
    #[inline(always)]
    pub(crate) fn find_item(&self, key: i64) -> Option<Slot> {
        self.item_index(key).map(Slot::Array)
    }

    /// Where the value of an integer key stands, even if it is nil there.
    #[inline(always)]
    pub(crate) fn find_integer(&self, key: i64) -> Option<Slot> {
        match self.item_index(key) {
            Some(index) => Some(Slot::Array(index)),
            None => self.find_integer_hashed(key).map(Slot::Hash),
        }
    }

    /// Moves items of the array part, all at once. Indices count from 0.
    pub(crate) fn move_items(&mut self, from: usize, to: usize, count: usize) {
        self.array.copy_within(from..from + count, to);
        // As if they had been moved one by one.
        let _ = self.item_index((from.max(to) + count) as i64);
    }

    /// Index in the array part. A program that uses items behind the last border is likely to have moved it.
    #[inline(always)]
    fn item_index(&self, key: i64) -> Option<usize> {
        let index = (key as usize).wrapping_sub(1);
        if index >= self.array.len() {
            return None;
        }
        if index >= self.limit.get() as usize {
            self.limit.set(index as u32 + 1);
        }
        Some(index)
    }

    /// Whether the array part has all of so many items from `first` on.
    pub(crate) fn array_has(&self, first: i64, count: i64) -> bool {
        first > 0 && count >= 0 && first.checked_add(count).is_some_and(|end| end as usize <= self.array.len() + 1)
    }

    #[inline(always)]
    fn chain(&self, hash: usize, matches: impl Fn(&Node) -> bool) -> Option<usize> {
        if self.nodes.is_empty() {
            return None;
        }
        let mut index = hash & (self.nodes.len() - 1);
        loop {
            let node = &self.nodes[index];
            if matches(node) {
                return Some(index);
            }
            if node.next == 0 {
                return None;
            }
            index = index.wrapping_add_signed(node.next as isize);
        }
    }

    /// Where the value of `key` stands, even if it is nil there.
    pub(crate) fn find(&self, key: Value) -> Option<Slot> {
        match normalize(key) {
            Value::Nil => None,
            Value::Integer(i) => self.find_integer(i),
            Value::String(s) if s.is_short() => self.find_short(s).map(Slot::Hash),
            key @ Value::Table(table) => self
                .chain(hash_of(key), |node| matches!(node.key(), Value::Table(other) if other == table))
                .map(Slot::Hash),
            key => self.chain(hash_of(key), |node| !node.dead && node.key().raw_equals(key)).map(Slot::Hash),
        }
    }

    /// The value at a place that [`Table::find`] gave.
    #[inline(always)]
    pub(crate) fn value_at(&self, slot: Slot) -> Value {
        match slot {
            Slot::Array(index) => read_value(&self.array[index]),
            Slot::Hash(index) => self.nodes[index].value(),
        }
    }

    /// Writes the value at such a place. No barrier is called.
    #[inline(always)]
    pub(crate) fn set_value_at(&mut self, slot: Slot, value: &Value) {
        match slot {
            Slot::Array(index) => write_value(&mut self.array[index], value),
            Slot::Hash(index) => self.nodes[index].set_value(value),
        }
    }

    /// Adds a key that the table does not have, unless its value is nil. Says whether the table refers to the key then.
    ///
    /// # Errors
    /// The key is nil or NaN.
    pub(crate) fn add(&mut self, pool: &mut Pool, key: Value, value: Value) -> Result<bool, TableKeyError> {
        match key {
            Value::Nil => return Err(TableKeyError::Nil),
            Value::Float(f) if f.is_nan() => return Err(TableKeyError::Nan),
            _ => {}
        }
        if value.is_nil() {
            return Ok(false);
        }
        self.insert(pool, normalize(key), value);
        Ok(true)
    }

    /// Adds a normalized key that neither part has.
    fn insert(&mut self, pool: &mut Pool, key: Value, value: Value) {
        if self.nodes.is_empty() {
            self.rehash(pool, key);
            return self.insert_after_rehash(pool, key, value);
        }
        let mask = self.nodes.len() - 1;
        let main = hash_of(key) & mask;
        if self.nodes[main].value().is_nil() {
            // The node may still be a link of a chain, whichever: the link stays.
            let next = self.nodes[main].next;
            self.nodes[main] = Node::new(key, value, next);
            return;
        }
        let Some(free) = self.take_free() else {
            self.rehash(pool, key);
            return self.insert_after_rehash(pool, key, value);
        };
        let other = self.main_position(main);
        if other != main {
            // The colliding node is out of its place: move it to the free one.
            let mut previous = other;
            while previous.wrapping_add_signed(self.nodes[previous].next as isize) != main {
                previous = previous.wrapping_add_signed(self.nodes[previous].next as isize);
            }
            self.nodes[previous].next = free as i32 - previous as i32;
            self.nodes[free] = self.nodes[main];
            if self.nodes[main].next != 0 {
                self.nodes[free].next += main as i32 - free as i32;
            }
            self.nodes[main] = Node::new(key, value, 0);
        } else {
            let next = match self.nodes[main].next {
                0 => 0,
                next => (main as i32 + next) - free as i32,
            };
            self.nodes[free] = Node::new(key, value, next);
            self.nodes[main].next = free as i32 - main as i32;
        }
    }

    fn main_position(&self, index: usize) -> usize {
        let node = &self.nodes[index];
        let mask = self.nodes.len() - 1;
        match (node.dead, node.key()) {
            (true, Value::LightUserdata(remains)) => (remains >> 32) & mask,
            (_, key) => hash_of(key) & mask,
        }
    }

    /// Adds a key that no node has, after the array part has got another size.
    fn insert_after_rehash(&mut self, pool: &mut Pool, key: Value, value: Value) {
        if let Value::Integer(i) = key
            && let Some(index) = self.item_index(i)
        {
            self.array[index] = value;
        } else {
            self.insert(pool, key, value);
        }
    }

    /// A node that was never used; going down, so that each is looked at once between two rehashes.
    fn take_free(&mut self) -> Option<usize> {
        while self.last_free > 0 {
            self.last_free -= 1;
            let node = &self.nodes[self.last_free as usize];
            if node.key().is_nil() && !node.dead {
                return Some(self.last_free as usize);
            }
        }
        None
    }

    /// Chooses new sizes for the entries that there are and one more key.
    fn rehash(&mut self, pool: &mut Pool, extra: Value) {
        // Integer keys in (2^(b-1), 2^b], by b.
        let mut slices = [0usize; MAX_ARRAY_BITS + 1];
        let mut total = 0;
        let mut integers = 0;
        let mut count = |key: Value| {
            total += 1;
            if let Value::Integer(i @ 1..=MAX_ARRAY_KEY) = key {
                slices[(i as u64).next_power_of_two().trailing_zeros() as usize] += 1;
                integers += 1;
            }
        };
        for (index, value) in self.array.iter().enumerate() {
            if !value.is_nil() {
                count(Value::Integer(index as i64 + 1));
            }
        }
        for node in self.nodes.iter() {
            if !node.value().is_nil() {
                count(node.key());
            }
        }
        count(extra);
        let (size, used) = array_size(&slices, integers);
        self.resize(pool, size, total - used);
    }

    /// Makes room for `array` list items and `hash` other entries; entries are kept.
    pub(crate) fn resize(&mut self, pool: &mut Pool, array: usize, hash: usize) {
        let nodes = match hash {
            0 => 0,
            n => n.next_power_of_two(),
        };
        let new_nodes = PooledSlice::new(pool, nodes, Node::FREE);
        let mut old_nodes = std::mem::replace(&mut self.nodes, new_nodes);
        self.last_free = nodes as u32;
        let surplus = self.array.get(array..).unwrap_or_default().to_vec();
        if array != self.array.len() {
            self.array.resize(pool, array, Value::Nil);
        }
        self.limit.set(array as u32);
        for (index, value) in surplus.into_iter().enumerate() {
            if !value.is_nil() {
                self.insert_after_rehash(pool, Value::Integer((array + index) as i64 + 1), value);
            }
        }
        for node in old_nodes.iter().rev() {
            if !node.value().is_nil() {
                self.insert_after_rehash(pool, node.key(), node.value());
            }
        }
        old_nodes.free(pool);
    }

    /// Gives the memory of both parts back. The table is empty then.
    pub(crate) fn free_parts(&mut self, pool: &mut Pool) {
        self.array.free(pool);
        self.nodes.free(pool);
    }

    /// Makes the array part at least this long, for the items of a constructor.
    pub(crate) fn ensure_array(&mut self, pool: &mut Pool, length: usize) {
        if length > self.array.len() {
            let used = self.nodes.iter().filter(|node| !node.value().is_nil()).count();
            self.resize(pool, length, used);
        }
    }

    /// A border (manual §3.4.7): of several the one that C's `luaH_getn` finds. Programs see it of lists with holes, as in
    /// `#{f()}`.
    pub fn length(&self) -> i64 {
        let array = &self.array;
        let has = |key: i64| !array[key as usize - 1].is_nil();
        let (limit, size) = (i64::from(self.limit.get()), array.len() as i64);
        // Where the next search is to begin.
        let hint = |border: i64| {
            if array.len().is_power_of_two() && border > size / 2 {
                self.limit.set(border as u32);
            }
            border
        };
        if limit > 0 && !has(limit) {
            return hint(if limit >= 2 && has(limit - 1) { limit - 1 } else { bisect(0, limit, has) });
        }
        if limit < size {
            if !has(limit + 1) {
                return limit;
            }
            if !has(size) {
                return hint(bisect(limit, size, has));
            }
        }
        if self.nodes.is_empty() || self.get_integer_hashed(size + 1).is_nil() {
            return size;
        }
        self.search_border(size.max(1))
    }

    /// A border at or above `present`, an integer key whose value is not nil.
    fn search_border(&self, present: i64) -> i64 {
        let mut high = present;
        let mut low;
        loop {
            low = high;
            high = match high.checked_mul(2) {
                Some(doubled) => doubled,
                None if self.get_integer(i64::MAX).is_nil() => i64::MAX,
                None => return i64::MAX,
            };
            if self.get_integer(high).is_nil() {
                break;
            }
        }
        bisect(low, high, |key| !self.get_integer(key).is_nil())
    }

    /// The entry after `key` in the order of `next`, or the first one for nil.
    pub(crate) fn next(&self, key: Value) -> Result<Option<(Value, Value)>, UnknownKey> {
        let start = match normalize(key) {
            Value::Nil => 0,
            key => self.position(key).ok_or(UnknownKey)? + 1,
        };
        Ok(self.entry_from(start))
    }

    /// The first entry at or after a position in the order of `next`.
    fn entry_from(&self, start: usize) -> Option<(Value, Value)> {
        let length = self.array.len();
        for index in start..length {
            if !self.array[index].is_nil() {
                return Some((Value::Integer(index as i64 + 1), self.array[index]));
            }
        }
        self.nodes
            .get(start.saturating_sub(length)..)?
            .iter()
            .find(|node| !node.value().is_nil())
            .map(|node| (node.key(), node.value()))
    }

    /// A key's position in the order of `next`; also that of a key that was removed during the traversal.
    fn position(&self, key: Value) -> Option<usize> {
        let slot = self.find(key).or_else(|| {
            let object = key.object()?;
            let id = object.id() as usize;
            self.chain(hash_of(key), |node| {
                node.dead && matches!(node.key(), Value::LightUserdata(remains) if remains & 0xFFFF_FFFF == id)
            })
            .map(Slot::Hash)
        })?;
        Some(match slot {
            Slot::Array(index) => index,
            Slot::Hash(index) => self.array.len() + index,
        })
    }
}

/// A border between `low`, a key whose value is not nil (or 0), and `high`, one whose value is nil.
fn bisect(mut low: i64, mut high: i64, is_present: impl Fn(i64) -> bool) -> i64 {
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is_present(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The size of the array part: the largest power of two of which more than half would be in use, given the integer keys by
/// slices, and how many of them it would take.
fn array_size(slices: &[usize], integers: usize) -> (usize, usize) {
    let mut best = (0, 0);
    let mut used = 0;
    for (bits, &count) in slices.iter().enumerate() {
        let size = 1usize << bits;
        if integers <= size / 2 {
            break;
        }
        used += count;
        if used > size / 2 {
            best = (size, used);
        }
    }
    best
}
