//! The fields in which objects refer to other objects.
//!
//! Whoever has an object may read them. Only the modules of the collector may write them, and of these `store` and `upvalue`
//! alone do, so that no write goes without its event, and none without its barrier where it needs one. Elsewhere in the
//! crate objects are made with fields that refer to nothing.

use crate::gc::Gc;
use crate::value::Value;
use std::cell::Cell;
use std::ops::Deref;

/// A field that may be written while others look at its object.
#[repr(transparent)]
pub struct Field<T>(Cell<T>);

impl<T> Field<Option<Gc<T>>> {
    /// A field that refers to nothing.
    #[inline]
    pub(crate) const fn empty() -> Self {
        Field(Cell::new(None))
    }

    /// Forgets the reference, which needs no barrier: what goes cannot break an invariant.
    #[inline(always)]
    pub(super) fn clear(&self) {
        self.0.set(None);
    }
}

impl Field<Value> {
    /// A field with the value nil.
    #[inline]
    pub(crate) const fn nil() -> Self {
        Field(Cell::new(Value::Nil))
    }
}

impl<T: Copy> Field<T> {
    /// The field of an object that is being made.
    #[inline(always)]
    pub(super) const fn first(content: T) -> Self {
        Field(Cell::new(content))
    }

    /// What the field refers to.
    #[inline(always)]
    pub(crate) fn get(&self) -> T {
        self.0.get()
    }

    /// Where the content stands.
    #[inline(always)]
    pub(crate) const fn as_ptr(&self) -> *const T {
        self.0.as_ptr()
    }

    /// Writes the field. No barrier is called.
    #[inline(always)]
    pub(super) fn put(&self, content: T) {
        self.0.set(content);
    }

    /// Writes the field, and gives what was there. No barrier is called.
    #[inline(always)]
    pub(super) fn exchange(&self, content: T) -> T {
        self.0.replace(content)
    }
}

/// A part of an object that refers to others and is written only by who has the object for itself.
#[repr(transparent)]
pub struct Held<T>(T);

impl<T: Default> Held<T> {
    /// A part that refers to nothing.
    pub(crate) fn empty() -> Self {
        Held(T::default())
    }
}

impl<T> Held<T> {
    /// The part, to be written. No barrier is called.
    #[inline(always)]
    pub(super) fn writable(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    /// The ways in which a module of the collector can write a reference.
    const WRITES: [&str; 11] = [
        ".put(",
        ".exchange(",
        "Field::first(",
        ".writable()",
        ".add(&mut ",
        ".set_value_at(",
        ".set_node_value(",
        ".move_items(",
        ".array_mut()",
        ".cast_mut()",
        "copy_value(",
    ];

    /// Who has such a line and is no store: `allocate` gives a new upvalue its own place for a location; `weak` replaces
    /// values by nil; `corrupt` does damage; `parts` has the copying, for those who write; `pool` puts blocks into lists.
    const OTHERS: [(&str, &[&str]); 5] = [
        ("allocate.rs", &["Field::first(std::ptr::null())", "upvalue.location.put("]),
        ("weak.rs", &["array_mut()[index] = Value::Nil", "set_node_value(index, Value::Nil)"]),
        ("corrupt.rs", &[".set_value_at(slot", ".add(&mut self.heap.pool", ".writable()"]),
        ("parts.rs", &["copy_value("]),
        ("pool.rs", &["self.put("]),
    ];

    /// The files of a folder and of those inside it.
    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("the sources are there");
        let paths = entries.map(|entry| entry.expect("a file").path());
        paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn only_the_store_modules_write_references() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gc");
        let mut writers = Vec::new();
        for path in sources(&folder) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("a text");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let allowed = OTHERS.iter().find(|(file, _)| *file == name).map_or(&[][..], |(_, lines)| lines);
            for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
                let writes = WRITES.iter().any(|write| line.contains(write));
                if !writes || allowed.iter().any(|part| line.contains(part)) {
                    continue;
                }
                match name.as_str() {
                    "store.rs" | "upvalue.rs" => writers.push(name.clone()),
                    _ => panic!("{name} writes a reference: {}", line.trim()),
                }
            }
        }
        writers.sort();
        writers.dedup();
        assert_eq!(writers, ["store.rs", "upvalue.rs"]);
    }
}
