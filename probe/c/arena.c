#include "arena.h"

#include <string.h>
#include <sys/mman.h>

#ifdef MOONPHASE_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#define poison(from, size) __asan_poison_memory_region(from, size)
#define unpoison(from, size) __asan_unpoison_memory_region(from, size)
#else
#define poison(from, size) ((void)(from), (void)(size))
#define unpoison(from, size) ((void)(from), (void)(size))
#endif

/* A freed block this large gives its pages back. */
#define LARGE ((uint64_t)256 << 10)
/* What an arena may keep of its pages when it is made anew. */
#define KEPT ((size_t)16 << 20)
#define PAGE ((uintptr_t)4096)
/* What freed memory is filled with. As a pointer it leads nowhere, as a type it is none. */
#define FREED_BYTE 0xDB

mp_arena arena;
char *arena_bottom, *arena_top;
static char *end;  /* where there is no more room */

void arena_reset(char *base, size_t size, size_t dirty, uint64_t limit) {
  unpoison(base, dirty);
  if (dirty > KEPT) {
    madvise(base + KEPT, dirty - KEPT, MADV_DONTNEED);
    dirty = KEPT;
  }
  /* What was never written reads the same in every case. */
  memset(base, 0, dirty);
  arena_bottom = arena_top = base;
  end = base + size;
  memset(&arena, 0, sizeof arena);
  arena.limit = limit;
}

size_t arena_used(void) { return (size_t)(arena_top - arena_bottom); }

static void *new_block(size_t size) {
  size_t room = (sizeof(mp_block) + size + 15) & ~(size_t)15;
  mp_block *block = (mp_block *)arena_top;
  if (size > (size_t)(end - arena_top) || room > (size_t)(end - arena_top)) return NULL;
  arena_top += room;
  block->size = size;
  poison(block, sizeof *block);
  poison((char *)(block + 1) + size, room - sizeof *block - size);
  block->check = arena_check(block);
  block->number = (uint32_t)++arena.allocations;
  block->look = 0;
  block->freed = 0;
  block->apart = 0;
  block->glanced = 0;
  arena.alive += size;
  return block + 1;
}

static void free_block(mp_block *block) {
  char *from = (char *)(block + 1), *to = from + block->size;
  uint8_t kind = moonphase_kind(from, block->size);
  if (kind != UINT8_MAX) block->kind = kind;
  block->freed = 1;
  arena.alive -= block->size;
  if (block->apart) arena.apart -= block->size;
  arena.frees += block->look != 0;
  if (block->size >= LARGE) {
    char *first = (char *)(((uintptr_t)from + PAGE - 1) & ~(PAGE - 1));
    char *last = (char *)((uintptr_t)to & ~(PAGE - 1));
    memset(from, FREED_BYTE, (size_t)(first - from));
    madvise(first, (size_t)(last - first), MADV_DONTNEED);
  } else
    memset(from, FREED_BYTE, block->size);
  poison(from, block->size);
}

void *arena_alloc(void *context, void *pointer, size_t old_size, size_t new_size) {
  mp_block *old = pointer != NULL ? (mp_block *)pointer - 1 : NULL;
  size_t old_bytes = old != NULL ? old->size : 0;
  void *made;
  (void)context;
  (void)old_size;
  if (new_size == 0) {
    if (old != NULL) free_block(old);
    return NULL;
  }
  if (new_size > old_bytes && arena.alive + (new_size - old_bytes) > arena.limit) return NULL;
  made = new_block(new_size);
  if (made == NULL) {
    /* Lua takes it for granted that a block can shrink. */
    if (old == NULL || new_size > old_bytes) return NULL;
    arena.alive -= old_bytes - new_size;
    old->size = new_size;
    return pointer;
  }
  if (old != NULL) {
    memcpy(made, pointer, old_bytes < new_size ? old_bytes : new_size);
    free_block(old);
  }
  return made;
}

void *arena_alloc_apart(void *context, void *pointer, size_t old_size, size_t new_size) {
  void *made = arena_alloc(context, pointer, old_size, new_size);
  if (made != NULL && made != pointer) {
    mp_block *block = (mp_block *)made - 1;
    block->apart = 1;
    arena.apart += block->size;
  }
  return made;
}

int arena_free(const mp_block *block) {
  if (block == NULL || block->freed) return 0;
  free_block((mp_block *)block);
  return 1;
}
