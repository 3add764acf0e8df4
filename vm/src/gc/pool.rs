//! Memory for objects: blocks of a few sizes that are cut from slabs, and used again for objects of the same size.
//!
//! Slabs go back to the global allocator with the pool. Large objects come from there one by one, and in a build that a
//! sanitizer or a fuzzer watches all of them do, so that it sees where each one ends and when it is freed.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Sizes are rounded up to multiples of this many bytes, which is also how blocks are aligned.
const GRAIN: usize = 8;

/// Bytes of the largest block; larger objects are not pooled.
const LARGEST: usize = 256;

/// Bytes of a slab: a state with its library fits into one.
const SLAB: usize = 32 << 10;

const SLAB_LAYOUT: Layout = match Layout::from_size_align(SLAB, GRAIN) {
    Ok(layout) => layout,
    Err(_) => unreachable!(),
};

/// What a block holds while it is free.
struct FreeBlock {
    next: Option<NonNull<FreeBlock>>,
}

/// A pool of blocks.
pub(crate) struct Pool {
    /// Free blocks by their size in grains, less one.
    free: [Option<NonNull<FreeBlock>>; LARGEST / GRAIN],
    /// What has not been cut yet of the newest slab.
    rest: NonNull<u8>,
    rest_bytes: usize,
    slabs: Vec<NonNull<u8>>,
}

/// Which list blocks for this layout are in; `None` for what is not pooled.
#[inline(always)]
fn class_of(layout: Layout) -> Option<usize> {
    let is_pooled = cfg!(not(unpooled)) && layout.size() <= LARGEST && layout.align() <= GRAIN;
    is_pooled.then(|| layout.size().div_ceil(GRAIN).saturating_sub(1))
}

impl Pool {
    pub(super) fn new() -> Pool {
        Pool { free: [None; LARGEST / GRAIN], rest: NonNull::dangling(), rest_bytes: 0, slabs: Vec::new() }
    }

    /// Memory for an object of this layout, whose size is not zero.
    #[inline]
    pub(super) fn allocate(&mut self, layout: Layout) -> NonNull<u8> {
        let Some(class) = class_of(layout) else {
            return allocate_outside(layout);
        };
        match self.free[class] {
            Some(block) => {
                // SAFETY: a block in a list is free, and was written when it came there.
                self.free[class] = unsafe { block.as_ref() }.next;
                block.cast()
            }
            None => self.cut(class),
        }
    }

    /// Cuts a block from a slab.
    fn cut(&mut self, class: usize) -> NonNull<u8> {
        let bytes = (class + 1) * GRAIN;
        if self.rest_bytes < bytes {
            self.keep_rest();
            self.rest = allocate_outside(SLAB_LAYOUT);
            self.rest_bytes = SLAB;
            self.slabs.push(self.rest);
        }
        let block = self.rest;
        // SAFETY: so many bytes are left of the slab.
        self.rest = unsafe { block.add(bytes) };
        self.rest_bytes -= bytes;
        block
    }

    /// Makes a free block of what is left of a slab.
    fn keep_rest(&mut self) {
        if self.rest_bytes >= GRAIN {
            // SAFETY: the rest of a slab is in no block yet, and as long as that.
            unsafe { self.put(self.rest, self.rest_bytes / GRAIN - 1) };
        }
    }

    /// Puts a block into the list of its size.
    ///
    /// # Safety
    /// It is as long as its class says, aligned, and nothing uses it any more.
    #[inline(always)]
    unsafe fn put(&mut self, block: NonNull<u8>, class: usize) {
        let block = block.cast::<FreeBlock>();
        // SAFETY: the caller's promise; a block has room for a pointer.
        unsafe { block.write(FreeBlock { next: self.free[class] }) };
        self.free[class] = Some(block);
    }

    /// Takes memory back.
    ///
    /// # Safety
    /// This pool gave it for this layout, and nothing uses it any more.
    #[inline]
    pub(super) unsafe fn free(&mut self, pointer: NonNull<u8>, layout: Layout) {
        match class_of(layout) {
            // SAFETY: a block of this class, which is aligned as the slab is.
            Some(class) => unsafe { self.put(pointer, class) },
            // SAFETY: as the caller promises.
            None => unsafe { dealloc(pointer.as_ptr(), layout) },
        }
    }
}

fn allocate_outside(layout: Layout) -> NonNull<u8> {
    // SAFETY: the size is not zero.
    NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

impl Drop for Pool {
    fn drop(&mut self) {
        for &slab in &self.slabs {
            // SAFETY: it was allocated so, and the heap, whose objects were in it, is gone.
            unsafe { dealloc(slab.as_ptr(), SLAB_LAYOUT) };
        }
    }
}

/// A slice in the memory of a heap's pool, for the parts of an object. It has no destructor: the object gives it back. Objects
/// are never given to another heap, so a slice comes back to the pool that it is from.
///
/// Packed, so that the four bytes behind the length are not lost.
#[repr(C, packed(4))]
pub(crate) struct PooledSlice<T> {
    pointer: NonNull<T>,
    length: u32,
}

impl<T: Copy> PooledSlice<T> {
    /// A slice without items, which need not be freed.
    pub(crate) const EMPTY: PooledSlice<T> = PooledSlice { pointer: NonNull::dangling(), length: 0 };

    /// So many items, at most 2^31, which are alike.
    pub(crate) fn new(pool: &mut Pool, length: usize, item: T) -> PooledSlice<T> {
        if length == 0 {
            return PooledSlice::EMPTY;
        }
        let pointer = pool.allocate(slice_layout::<T>(length)).cast::<T>();
        for index in 0..length {
            // SAFETY: the memory is as long as the layout of so many items.
            unsafe { pointer.add(index).write(item) };
        }
        PooledSlice { pointer, length: length as u32 }
    }

    /// Makes the slice longer, by items that are alike, or shorter.
    pub(crate) fn resize(&mut self, pool: &mut Pool, length: usize, item: T) {
        if self.is_empty() {
            *self = PooledSlice::new(pool, length, item);
            return;
        }
        let (old, new) = (slice_layout::<T>(self.len()), slice_layout::<T>(length));
        if new.size() == 0 || class_of(old).is_some() || class_of(new).is_some() {
            let mut resized = PooledSlice::new(pool, length, item);
            let kept = length.min(self.len());
            resized[..kept].copy_from_slice(&self[..kept]);
            self.free(pool);
            *self = resized;
            return;
        }
        // SAFETY: the slice was allocated outside with this layout, and the new size is not zero.
        let moved = unsafe { realloc(self.pointer.as_ptr().cast(), old, new.size()) };
        let Some(pointer) = NonNull::new(moved.cast::<T>()) else { handle_alloc_error(new) };
        for index in self.len()..length {
            // SAFETY: the memory is as long as the layout of so many items.
            unsafe { pointer.add(index).write(item) };
        }
        *self = PooledSlice { pointer, length: length as u32 };
    }

    /// Gives the memory back. The slice is empty then.
    pub(crate) fn free(&mut self, pool: &mut Pool) {
        let PooledSlice { pointer, length } = std::mem::replace(self, PooledSlice::EMPTY);
        if length > 0 {
            // SAFETY: the pool gave it for this layout, and nobody has it any more.
            unsafe { pool.free(pointer.cast(), slice_layout::<T>(length as usize)) };
        }
    }
}

fn slice_layout<T>(length: usize) -> Layout {
    Layout::array::<T>(length).unwrap_or_else(|_| unreachable!("no table is that large"))
}

impl<T> Deref for PooledSlice<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: so many items were written there.
        unsafe { std::slice::from_raw_parts(self.pointer.as_ptr(), self.length as usize) }
    }
}

impl<T> DerefMut for PooledSlice<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and nobody else has the slice.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.as_ptr(), self.length as usize) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, GRAIN).expect("a layout")
    }

    #[test]
    fn a_freed_block_is_used_again_for_the_same_size_only() {
        let mut pool = Pool::new();
        let first = pool.allocate(layout(40));
        // SAFETY: given for this layout and not used.
        unsafe { pool.free(first, layout(40)) };
        assert_ne!(pool.allocate(layout(48)), first);
        assert_eq!(pool.allocate(layout(33)), first);
    }

    #[test]
    fn a_slice_keeps_its_items_when_it_grows_and_shrinks() {
        let mut pool = Pool::new();
        let mut slice = PooledSlice::new(&mut pool, 0, 0);
        for length in [1, 5, 60, 3, 200, 1000, 4000, 150, 7, 0, 2] {
            let kept: Vec<usize> = slice.iter().copied().take(length).collect();
            slice.resize(&mut pool, length, length);
            assert_eq!(slice.len(), length);
            assert!(slice.starts_with(&kept) && slice[kept.len()..].iter().all(|&item| item == length));
        }
        slice.free(&mut pool);
        assert!(slice.is_empty());
    }

    #[test]
    fn blocks_do_not_overlap_over_many_slabs_and_large_ones_are_outside() {
        let mut pool = Pool::new();
        let mut blocks = Vec::new();
        for round in 0..10_000 {
            let size = 8 + round * 7 % 300;
            blocks.push((pool.allocate(layout(size)), size));
        }
        blocks.sort();
        for pair in blocks.windows(2) {
            assert!(pair[0].0.addr().get() + pair[0].1 <= pair[1].0.addr().get());
        }
        for (block, size) in blocks {
            assert!(block.addr().get().is_multiple_of(GRAIN));
            // SAFETY: given for this layout and not used.
            unsafe { pool.free(block, layout(size)) };
        }
    }
}
