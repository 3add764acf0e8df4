//! What objects refer to, and what is alive without being referred to.
//!
//! This is the second place that knows the references of each kind of object. The first is `mark`, which is under test here.

use super::object::live_top;
use super::{HeapView, ObjectView};
use crate::gc::mark::weakness_of_mode;
use crate::gc::object::bits;
use crate::gc::{AnyGc, Gc, Kind, Object, Weakness};
use crate::value::{Metamethod, Table, Thread};
use moonphase_heap::{Edge, Label, Root, Strength};

/// Told of the references of one object.
struct Walk<F>(F);

impl<'h, F: FnMut(Edge<ObjectView<'h>>)> Walk<F> {
    #[inline]
    fn strong(&mut self, label: Label, target: Option<AnyGc>) {
        if let Some(target) = target {
            self.edge(label, target, Strength::Strong);
        }
    }

    #[inline]
    fn edge(&mut self, label: Label, target: AnyGc, strength: Strength) {
        (self.0)(Edge { label, target: ObjectView::new(target), strength });
    }
}

/// A number of places as labels have it. No object has 2^32 of them.
#[inline]
fn place(index: usize) -> u32 {
    index as u32
}

impl<'h> HeapView<'h> {
    pub(super) fn visit_single_roots(self, mut visit: impl FnMut(Root, ObjectView<'h>)) {
        let heap = self.heap;
        let mut root = |root, object: Option<AnyGc>| {
            if let Some(object) = object {
                visit(root, ObjectView::new(object));
            }
        };
        root(Root::MainThread, heap.main_thread.map(|thread| thread.erase()));
        root(Root::RunningThread, heap.current_thread.map(|thread| thread.erase()));
        root(Root::Registry, heap.registry.map(|table| table.erase()));
        root(Root::HostReferences, heap.host_references.map(|table| table.erase()));
        let metatables = &heap.metatables;
        root(Root::StringMetatable, metatables.string.map(|table| table.erase()));
        root(Root::NilMetatable, metatables.nil.map(|table| table.erase()));
        root(Root::BooleanMetatable, metatables.boolean.map(|table| table.erase()));
        root(Root::NumberMetatable, metatables.number.map(|table| table.erase()));
        root(Root::FunctionMetatable, metatables.function.map(|table| table.erase()));
        root(Root::ThreadMetatable, metatables.thread.map(|table| table.erase()));
        root(Root::LightUserdataMetatable, metatables.light_userdata.map(|table| table.erase()));
        for (object, _) in &heap.anchors {
            root(Root::JustMade, Some(*object));
        }
    }

    /// The closure cache, keys of entries without a value, and stack slots above the live top, are no references.
    #[inline]
    pub(super) fn visit_references(self, object: ObjectView<'h>, visit: impl FnMut(Edge<ObjectView<'h>>)) {
        if object.is_freed() {
            return;
        }
        let mut walk = Walk(visit);
        match object.object.unpack() {
            Object::String(_) => {}
            Object::Upvalue(upvalue) => walk.strong(Label::Value, upvalue.get().object()),
            Object::Userdata(userdata) => {
                walk.strong(Label::Metatable, userdata.metatable.get().map(|table| table.erase()));
                for (index, value) in userdata.user_values.iter().enumerate() {
                    walk.strong(Label::UserValue(place(index)), value.get().object());
                }
            }
            Object::NativeClosure(closure) => {
                for (index, value) in closure.upvalues.iter().enumerate() {
                    walk.strong(Label::NativeUpvalue(place(index)), value.get().object());
                }
            }
            Object::Closure(closure) => {
                walk.strong(Label::Prototype, Some(closure.prototype.get().erase()));
                for (index, upvalue) in closure.upvalues().iter().enumerate() {
                    walk.strong(Label::Upvalue(place(index)), upvalue.get().map(|upvalue| upvalue.erase()));
                }
            }
            Object::Prototype(prototype) => {
                walk.strong(Label::Source, prototype.source.get().map(|source| source.erase()));
                for (index, constant) in prototype.constants.iter().enumerate() {
                    walk.strong(Label::Constant(place(index)), constant.get().object());
                }
                for (index, nested) in prototype.prototypes.iter().enumerate() {
                    walk.strong(Label::Nested(place(index)), nested.get().map(|nested| nested.erase()));
                }
                for (index, upvalue) in prototype.upvalues.iter().enumerate() {
                    walk.strong(Label::UpvalueName(place(index)), upvalue.name.get().map(|name| name.erase()));
                }
                for (index, local) in prototype.locals.iter().enumerate() {
                    walk.strong(Label::LocalName(place(index)), local.name.get().map(|name| name.erase()));
                }
            }
            Object::Thread(thread) => self.visit_thread(thread, &mut walk),
            Object::Table(table) => self.visit_table(table, &mut walk),
        }
    }

    #[inline]
    fn visit_thread(self, thread: Gc<Thread>, walk: &mut Walk<impl FnMut(Edge<ObjectView<'h>>)>) {
        for slot in 0..live_top(&thread) {
            if let Some(target) = thread.stack[slot].object() {
                walk.edge(Label::StackSlot(place(slot)), target, Strength::Strong);
            }
        }
        // Elsewhere only closures keep them; the thread just knows them.
        if self.heap.policy.keeps_open_upvalues() {
            for (index, upvalue) in thread.open_upvalues.iter().enumerate() {
                walk.edge(Label::OpenUpvalue(place(index)), upvalue.erase(), Strength::Strong);
            }
        }
        walk.strong(Label::Resumer, thread.resumer.map(|thread| thread.erase()));
    }

    #[inline]
    fn visit_table(self, table: Gc<Table>, walk: &mut Walk<impl FnMut(Edge<ObjectView<'h>>)>) {
        walk.strong(Label::Metatable, table.metatable.get().map(|metatable| metatable.erase()));
        let weakness = self.weakness_of(table);
        let weak_keys = matches!(weakness, Weakness::Keys | Weakness::Both);
        let weak_values = matches!(weakness, Weakness::Values | Weakness::Both);
        // Strings are never removed from weak tables, but only marking the table keeps them.
        let strength = |weak| if weak { Strength::Weak } else { Strength::Strong };
        for (index, value) in table.array().iter().enumerate() {
            if let Some(target) = value.object() {
                walk.edge(Label::Item(index as i64 + 1), target, strength(weak_values));
            }
        }
        for index in 0..table.node_count() {
            let Some((key, value)) = table.entry(index) else { continue };
            if let Some(target) = key.object() {
                walk.edge(Label::Key(place(index)), target, strength(weak_keys));
            }
            if let Some(target) = value.object() {
                let ephemeron = weak_keys && self.heap.semantics.ephemerons;
                let strength = match (ephemeron, weak_values, key.object()) {
                    (_, true, _) => Strength::Weak,
                    (true, false, Some(key)) if key.kind() != Kind::String => Strength::Ephemeron { key: key.id() },
                    _ => Strength::Strong,
                };
                walk.edge(Label::Entry(place(index)), target, strength);
            }
        }
    }

    #[inline]
    pub(super) fn visit_empty_keys(self, object: ObjectView<'h>, visit: impl FnMut(Edge<ObjectView<'h>>)) {
        let Object::Table(table) = object.object.unpack() else { return };
        if object.is_freed() {
            return;
        }
        let mut walk = Walk(visit);
        for index in 0..table.node_count() {
            if let Some(target) = table.unburied_key(index) {
                walk.edge(Label::EmptyKey(place(index)), target, Strength::Weak);
            }
        }
    }

    /// How a table is weak, as its metatable says now. What the metatable is remembered to lack is left aside: the collector
    /// keeps that.
    #[inline]
    pub(super) fn weakness_of(self, table: Gc<Table>) -> Weakness {
        match table.metatable.get() {
            Some(metatable) if !metatable.erase().has(bits::FREED) => {
                weakness_of_mode(metatable.get_short(self.heap.name_of(Metamethod::Mode)))
            }
            _ => Weakness::None,
        }
    }
}
