/*
** Memory at fixed addresses, in which every block is known: its size, its number in the order of allocation, and whether it was
** freed. Knows nothing of Lua.
*/

#ifndef moonphase_arena_h
#define moonphase_arena_h

#include <stddef.h>
#include <stdint.h>

/* Before each block. */
typedef struct mp_block {
  uint64_t size;   /* bytes asked for */
  uint32_t check;  /* tells a block from anything else */
  uint32_t number; /* from 1, in the order of allocation */
  uint32_t look;   /* the look that met the block last */
  uint32_t index;  /* and its object there */
  uint8_t freed;
  uint8_t kind;    /* of the object, when it was met last or freed */
  uint8_t apart;   /* whether the Lua does not count its bytes */
  uint8_t unused;
  uint32_t glanced; /* the last run of glances that has followed its references while it was black */
} mp_block;

typedef struct mp_arena {
  uint64_t alive;        /* bytes of all blocks that are not freed */
  uint64_t apart;        /* of these, bytes that the Lua does not count */
  uint64_t limit;        /* the most that may be alive */
  uint64_t allocations;  /* blocks made so far */
  uint64_t frees;        /* of blocks that a look has met */
} mp_arena;

extern mp_arena arena;

/* The kind of the object whose memory is about to be freed, which is asked of whoever knows the Lua; UINT8_MAX if it is none. */
uint8_t moonphase_kind(const void *memory, uint64_t size);

/* Makes the arena anew, empty, in this memory, of which the first `dirty` bytes were written before. */
void arena_reset(char *base, size_t size, size_t dirty, uint64_t limit);

/* How many bytes were used so far, from the beginning. */
size_t arena_used(void);

/* A `lua_Alloc`. A block never grows or shrinks in place as long as there is room for another one: what still points into the
** old one meets freed memory. */
void *arena_alloc(void *context, void *pointer, size_t old_size, size_t new_size);

/* The same for blocks whose bytes the Lua does not count. */
void *arena_alloc_apart(void *context, void *pointer, size_t old_size, size_t new_size);

/* Frees a block behind the back of the Lua; whether it was not freed yet. */
int arena_free(const mp_block *block);

extern char *arena_bottom, *arena_top; /* where blocks begin, and where the next one does */

static inline uint32_t arena_check(const void *block) {
  return (uint32_t)((uintptr_t)block >> 4) * 2654435761u ^ 0x6d70626bu;
}

/* The block that begins at an address, freed or not; NULL if none does. */
static inline mp_block *arena_block(const void *pointer) {
  const char *at = (const char *)pointer;
  mp_block *block = (mp_block *)(at - sizeof(mp_block));
  if (at < arena_bottom + sizeof(mp_block) || at > arena_top || ((uintptr_t)at & 15) != 0) return NULL;
  return block->check == arena_check(block) ? block : NULL;
}

/* The bytes of the block at an address, 0 where there is none that is not freed. */
static inline uint64_t arena_size(const void *pointer) {
  const mp_block *block = arena_block(pointer);
  return block != NULL && !block->freed ? block->size : 0;
}

#endif
